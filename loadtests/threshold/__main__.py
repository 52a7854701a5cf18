"""Says what one similarity threshold is worth: `python -m loadtests.threshold [--limit N]`.

Plain cosine of the default embedder on pairs of real questions. Needs the data beside the project
(see loadtests/questions.py); takes about two minutes and no quiet machine: nothing is timed. Writes
loadtests/reports/threshold.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cachemw.config import default_cache_dir
from cachemw.embed.load import load_embedder
from cachemw.embed.settings import EmbedderSettings
from loadtests.questions import Pair, distinct, embedded, pairs_file, read_pairs
from loadtests.report import Section, machine, render
from loadtests.threshold.clusters import halves
from loadtests.threshold.quality import Quality, Share, lowest, quality

REPORT = Path(__file__).parents[1] / "reports" / "threshold.md"
THRESHOLDS = tuple(round(0.80 + step / 100, 2) for step in range(20))
LIMITS = (0.03, 0.05, 0.10, 0.15)
_HEAD = ("threshold", "duplicates served", "others served", "wrong among served", "served")


def similarities(pairs: Sequence[Pair], cache_dir: Path) -> tuple[NDArray[np.float32], str]:
    """Return the cosine of every pair, and the embedder's name and fingerprint."""
    texts = distinct(pairs)
    row_of = {text: row for row, text in enumerate(texts)}
    embedder = load_embedder(EmbedderSettings(), cache_dir)
    print(f"... embedding {len(texts)} questions", file=sys.stderr, flush=True)
    vectors = embedded(embedder, texts)
    name = f"{embedder.name} ({embedder.fingerprint}, {embedder.runtime})"
    embedder.close()
    a = vectors[[row_of[pair.a] for pair in pairs]]
    b = vectors[[row_of[pair.b] for pair in pairs]]
    return np.einsum("ij,ij->i", a, b), name


def advice(chosen_on: Sequence[Quality], confirmed_on: Sequence[Quality]) -> Section:
    """Choose on one half and look it up on the other."""
    held_out = {judged.threshold: judged for judged in confirmed_on}
    rows = []
    for limit in LIMITS:
        best = lowest(chosen_on, limit)
        if best is None:
            rows.append((f"{limit:.0%}", f"none up to {THRESHOLDS[-1]:.2f}", "", "", ""))
            continue
        there = held_out[best.threshold]
        rows.append(
            (
                f"{limit:.0%}",
                f"{best.threshold:.2f}",
                _share(best.wrong),
                _share(there.wrong),
                _share(there.found),
            )
        )
    head = (
        "wrong at most",
        "threshold",
        "wrong, here",
        "wrong, held out",
        "duplicates served, there",
    )
    about = (
        "The lowest threshold that keeps the share within the limit on the half that it is chosen "
        "on, and from there upwards; then what it does on the half that was held out."
    )
    return Section("The single threshold", about, head, rows)


def tables(name: str, judged: Sequence[Quality], base_rate: Share) -> Section:
    """Return one half's table."""
    about = f"{base_rate.whole} pairs, {base_rate.value:.1%} of them duplicates."
    rows = [
        (
            f"{q.threshold:.2f}",
            _share(q.found),
            _share(q.let_through),
            _share(q.wrong),
            str(q.wrong.whole),
        )
        for q in judged
    ]
    return Section(name, about, _HEAD, rows)


def _share(share: Share) -> str:
    low, high = share.interval
    return f"{share.value:.1%} ({low:.1%}–{high:.1%})"


def report(pairs: Sequence[Pair], cosines: NDArray[np.float32], conditions: str) -> str:
    """Judge all thresholds on both halves and return the whole report."""
    same = np.array([pair.same for pair in pairs])
    judged, sections = [], []
    for name, positions in zip(("Chosen on", "Held out"), halves(pairs), strict=True):
        half = [quality(cosines[positions], same[positions], t) for t in THRESHOLDS]
        judged.append(half)
        sections.append(
            tables(name, half, Share(int(np.count_nonzero(same[positions])), len(positions)))
        )
    return render("One similarity threshold", conditions, [advice(*judged), *sections])


def conditions(options: argparse.Namespace, embedder: str, base_rate: float) -> str:
    """Return how it was judged, and what that does not say."""
    return (
        f"{options.date}, {machine(('cachemw', 'openvino'))}. "
        f"Command: `python -m loadtests.threshold{_limit_given(options)}`. Embedder: {embedder}. "
        "Data: pairs of real questions from Quora, many of the others hard on purpose. Pairs that "
        "share a question stay in one half. Intervals: 95 %, Wilson.\n\n"
        f"**The share of wrong answers depends on the base rate**, here {base_rate:.1%} "
        "duplicates. It holds for traffic whose nearest stored question is a duplicate as often as "
        "here, with the others as hard; where fewer are, more of what is served is wrong. `Others "
        "served` does not depend on it. A duplicate is what people called so, with their errors: "
        "of the 21 pairs at 0.985 or more that are labelled different, among the first 12 000, "
        "about half are one question in two spellings when read by hand, and the others swap or "
        "add a word that cosine hardly sees (`Java to .NET`, `.NET to Java`)."
    )


def _limit_given(options: argparse.Namespace) -> str:
    return f" --limit {options.limit}" if options.limit else ""


def main() -> int:
    """Judge, print the report and write it."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.threshold", description=__doc__)
    parser.add_argument("--limit", type=int, help="first pairs only, for a quick look")
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--cache-dir", type=Path, help="of prepared models")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    options = parser.parse_args()
    path = pairs_file()
    if not path.exists():
        print(f"{path} is not there; CACHEMW_SHARED_DATA names its folder.", file=sys.stderr)
        return 1
    pairs = read_pairs(path)[: options.limit]
    cosines, embedder = similarities(pairs, options.cache_dir or default_cache_dir(os.environ))
    base_rate = sum(pair.same for pair in pairs) / len(pairs)
    text = report(pairs, cosines, conditions(options, embedder, base_rate))
    print(text)
    options.out.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
