"""Says what CacheGen's codec costs on the lab model: `python -m loadtests.kv.cachegen`.

Needs the data beside the project (CACHEMW_SHARED_DATA names their folder); takes some ten minutes
of a core and no quiet machine: nothing is timed. Writes loadtests/reports/kv-cachegen.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from cachemw_codecs.codecs.base import LADDER
from cachemw_codecs.codecs.cachegen import CacheGen, profile
from cachemw_codecs.codecs.cachegen.sharing import Sharing, alike, per_channel, per_layer
from cachemw_codecs.codecs.cachegen.steps import MULTIPLES
from cachemw_codecs.codecs.int8 import Int8
from cachemw_codecs.container import Chunk

from loadtests.kv.cachegen import sections
from loadtests.kv.cachegen.sections import Points
from loadtests.kv.cachegen.sizes import Spent
from loadtests.kv.cachegen.texts import TOKENS, Layers, Window, long_chunks, measured, samples
from loadtests.kv.cachegen.trial import Quality, Trial, quality, sent, trial
from loadtests.kv.cachegen.units import ByToken
from loadtests.kv.quality.passage import values_of
from loadtests.kv.quality.subjects import Subject, open_subject
from loadtests.kv.quality.windows import shared_data
from loadtests.report import Section, machine, render

REPORT = Path(__file__).parents[2] / "reports" / "kv-cachegen.md"
SHARINGS: tuple[tuple[str, Sharing, int | None], ...] = (
    ("each channel", per_channel, None),
    ("256 classes", alike(256), 256),
    ("64 classes", alike(64), 64),
    ("each layer", per_layer, 64),
)
"""Name, and how many tables of either kind an 8B shape would have where not one a channel."""
COMPARED = ("fine", "medium", "coarse")


@dataclass(frozen=True)
class Study:
    """The model, what is profiled and what is measured."""

    subject: Subject
    novels: list[Layers]
    valid: list[Layers]
    windows: list[Window]
    chunks: list[Chunk]

    @property
    def values(self) -> int:
        """Numbers in all windows."""
        return values_of(self.windows[0].chunk) * len(self.windows)

    def ladder(self, tables: bytes) -> list[Trial]:
        """Measure every level."""
        return [trial(CacheGen(tables), level, self.subject, self.windows) for level in LADDER]

    def long(self, tables: bytes) -> dict[str, Spent]:
        """Return what every level spends on the long chunks."""
        codec = CacheGen(tables)
        return {level: sent(codec, level, self.subject, self.chunks)[0] for level in LADDER}

    def bits(self, tables: bytes, level: str) -> tuple[float, float]:
        """Return payload bits a value and the relative squared error."""
        codec, size, lost, whole = CacheGen(tables), 0, 0.0, 0.0
        for window in self.windows:
            for number, kv in enumerate(window.chunk.layers):
                payload = codec.encode_layer(number, kv, level)
                decoded = codec.decode_layer(number, payload, kv.shape, level)
                size += 8 * len(payload)
                for was, now in ((kv.keys, decoded.keys), (kv.values, decoded.values)):
                    lost += float(((was.double() - now.double()) ** 2).sum())
                    whole += float((was.double() ** 2).sum())
        return size / self.values, lost / whole


def shared_section(study: Study) -> Section:
    """Measure tables by channel, class and layer."""
    rows = []
    for delta in (True, False):
        for name, sharing, classes in SHARINGS:
            tables = profile(study.novels, delta=delta, sharing=sharing)
            bits = [f"{study.bits(tables, level)[0]:.3f}" for level in COMPARED]
            kind = "deltas" if delta else "direct"
            large = file_size(32, 2 * 1024, delta=delta, classes=classes)
            rows.append((f"{kind}, {name}", *bits, _mb(len(tables)), _mb(large)))
    return sections.sharing(rows, (*COMPARED, "file", "file at 8B"))


def mismatch_section(study: Study) -> Section:
    """Measure tables of three texts."""
    texts = {
        "novels": study.novels,
        "WikiText-2 valid": study.valid,
        "itself": [window.chunk.layers for window in study.windows],
    }
    rows = []
    for delta in (True, False):
        for name, text in texts.items():
            tables = profile(text, delta=delta)
            cells = []
            for level in COMPARED:
                bits, error = study.bits(tables, level)
                cells.append(f"{bits:.3f} ({error:.4f})")
            rows.append((f"{'deltas' if delta else 'direct'}, {name}", *cells))
    return sections.mismatch(rows, COMPARED)


def units_section(study: Study, on: Sequence[Trial], rng: np.random.Generator) -> Section:
    """Measure the unit that was not taken."""
    ours: list[tuple[str, float, Quality]] = []
    token: list[tuple[str, float, Quality]] = []
    chunks = [window.chunk.layers for window in study.windows]
    for t, multiple in zip(on, MULTIPLES, strict=True):
        anchors = t.spent.anchors + t.spent.scales
        kept = t.spent.kept
        ours.append((t.level, (t.spent.values + anchors + kept) / study.values, t.quality))
        by_token = ByToken(study.novels, multiple)
        bits = sum(by_token.bits(layers) for layers in chunks) + anchors
        decoded = [by_token.decoded(layers) for layers in chunks]
        lost = quality(study.subject, study.windows, decoded)
        token.append((t.level, bits / study.values, lost))
    points: tuple[Points, Points] = (ours, token)
    return sections.units(*points, rng)


def report(study: Study, rng: np.random.Generator, say: Callable[[str], None]) -> list[Section]:
    """Measure everything."""
    say("with deltas")
    tables = [profile(study.novels, delta=delta) for delta in (True, False)]
    on = study.ladder(tables[0])
    say("without deltas")
    off = study.ladder(tables[1])
    int8 = trial(Int8(), "8bit", study.subject, study.windows)
    about = (
        "One file a chunk of 256 tokens, everything counted. `error`: squared error by squares, "
        "mean over layers. KL to the model with its cache as it was, and perplexity's rise, over "
        f"{len(study.windows)} windows; bootstrap over windows, 95 %. Where the bar of size is "
        "missed: anchors of 8 bits take a quarter of level medium, and a level is judged by the "
        "upper end of its interval, with none between it and the next."
    )
    first = sections.levels("Size and quality, deltas on", about, [*on, int8], rng)
    bars = [sections.bar_of_size(t, int8, n, rng) for n, t in (("deltas on", on), ("off", off))]
    made = [
        Section(first.title, first.about, first.head, first.rows, bars),
        sections.levels("Size and quality, deltas off", "The same without anchors.", off, rng),
        sections.on_and_off(on, off),
        sections.spending(on),
        sections.coder(
            {
                "deltas": {t.level: t.spent for t in on},
                "direct": {t.level: t.spent for t in off},
                "deltas, 1024 tokens": study.long(tables[0]),
                "direct, 1024 tokens": study.long(tables[1]),
            }
        ),
    ]
    say("sharing of tables")
    made.append(shared_section(study))
    say("mismatch")
    made.append(mismatch_section(study))
    say("units")
    return [*made, units_section(study, on, rng)]


def _mb(size: float) -> str:
    return f"{size / 1e6:.2f} MB"


def file_size(layers: int, columns: int, *, delta: bool, classes: int | None) -> int:
    """Bytes of a calibration file but its header; `columns`: channels of keys and of values."""
    channels, kinds = layers * columns, 2 if delta else 1
    each = 512 * (classes or channels) + 4 * channels
    return kinds * each + 4 * channels + (layers * (2 * 512 + 8) if delta else 0)


def main() -> int:
    """Measure, print the report and write it."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.kv.cachegen", description=__doc__)
    parser.add_argument("--windows", type=int, default=64, help="of 256 tokens, measured")
    parser.add_argument("--samples", type=int, default=128, help="of 256 tokens, profiled")
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    options = parser.parse_args()
    text = shared_data() / "text"
    if not text.exists():
        print(f"{text} is not there; CACHEMW_SHARED_DATA names its folder.", file=sys.stderr)
        return 1
    subject = open_subject("lab", shared_data(), Path())
    study = Study(
        subject,
        samples(subject, text / "novels.txt.xz", options.samples),
        samples(subject, text / "wikitext2-valid.txt.xz", options.samples),
        measured(subject, text / "wikitext2-test.txt.xz", options.windows),
        long_chunks(subject, text / "wikitext2-test.txt.xz", options.windows // 8),
    )
    made = report(study, np.random.default_rng(0), lambda s: print(f"... {s}", file=sys.stderr))
    conditions = (
        f"{options.date}, {machine(('cachemw', 'torch', 'numpy', 'numba'))}. Command: `python -m "
        f"loadtests.kv.cachegen --windows {options.windows} --samples {options.samples}`. Model: "
        f"the lab model ({subject.shape}), float32; its KV, keys before RoPE, in bfloat16. "
        f"Profiled on {options.samples} chunks of {TOKENS} tokens spread over the novels "
        f"(public domain; the model was trained on them), measured on {options.windows} chunks "
        "spread over WikiText-2 test, which neither the model nor the tables have seen."
    )
    rendered = render("KV: CacheGen's codec", conditions, made)
    print(rendered)
    options.out.write_text(rendered, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
