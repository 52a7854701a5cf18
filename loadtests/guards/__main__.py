"""Says what the guards cost and gain: `python -m loadtests.guards [--limit N]`.

Pairs of real questions, and the default embedder for how near they are. Needs the data beside the
project (see loadtests/questions.py); takes about three minutes. Writes loadtests/reports/guards.md.
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
from loadtests.guards.objections import ByCluster, Flags, Objections, by_cluster, judged, raised
from loadtests.guards.timing import timing
from loadtests.questions import Pair, pairs_file, read_pairs
from loadtests.report import Section, at_most, load_average, machine, render
from loadtests.threshold.__main__ import similarities
from loadtests.threshold.clusters import halves
from loadtests.threshold.quality import Share

REPORT = Path(__file__).parents[1] / "reports" / "guards.md"
NEAR = 0.85
COST = 8.0  # per cent of near duplicates that all guards together may object to
_HEAD = ("", "duplicates objected to", "others objected to", "others by it alone", "others in rest")
_TIMED = 2000


def table(
    title: str, rows: Sequence[Objections], connected: tuple[ByCluster, ByCluster], *, bar: bool
) -> Section:
    """Return what the guards do to one set of pairs; `connected` of duplicates and of others."""
    whole = rows[-1]
    cost, gain = connected
    about = (
        f"{whole.cost.whole} duplicates, {whole.gain.whole} others. Of the {cost.part} duplicates "
        f"objected to, {cost.largest} are in five clusters of connected questions. With every "
        f"cluster counted once, all guards object to {cost.value:.1%} ± {cost.reach:.1%} of "
        f"duplicates and {gain.value:.1%} ± {gain.reach:.1%} of others."
    )
    limit = "near duplicates objected to, held out"
    return Section(
        title,
        about,
        _HEAD,
        [
            (row.name, _share(row.cost), _share(row.gain), _share(row.alone), _share(row.wrong))
            for row in rows
        ],
        [at_most(limit, 100 * whole.cost.value, COST, "%")] if bar else [],
    )


def _share(share: Share) -> str:
    low, high = share.interval
    return f"{share.value:.1%} ({low:.1%}–{high:.1%})"


def half(
    pairs: Sequence[Pair], cosines: NDArray[np.float32], name: str, *, held_out: bool
) -> list[Section]:
    """Judge one half: its near pairs, then all of them."""
    found = raised(pairs)
    near = cosines >= NEAR
    sets = ((f"{name}: cosine >= {NEAR}", near), (f"{name}: all pairs", np.ones_like(near)))
    return [
        _judge(
            title,
            [pair for pair, kept in zip(pairs, chosen, strict=True) if kept],
            found[chosen],
            bar=held_out and chosen is near,
        )
        for title, chosen in sets
    ]


def _judge(title: str, pairs: Sequence[Pair], found: Flags, *, bar: bool) -> Section:
    same = np.array([pair.same for pair in pairs])
    objects: NDArray[np.bool_] = np.logical_or.reduce(found, axis=1)
    connected = (
        by_cluster([pair for pair in pairs if pair.same], objects[same]),
        by_cluster([pair for pair in pairs if not pair.same], objects[~same]),
    )
    return table(title, judged(found, same), connected, bar=bar)


def conditions(options: argparse.Namespace, embedder: str) -> str:
    """Return how it was judged, and what that does not say."""
    limited = f" --limit {options.limit}" if options.limit else ""
    return (
        f"{options.date}, {machine(('cachemw', 'openvino'))}, load {load_average()}. Command: "
        f"`python -m loadtests.guards{limited}`. Embedder, for the cosine: {embedder}. Data: pairs "
        "of real questions from Quora, many of the others hard on purpose; a duplicate is what "
        "people called so. Pairs that share a question stay in one half. The guards and their "
        "tables were chosen on the first half only; no pair of the second was read. Intervals: 95 "
        "%, Wilson; they take pairs for independent, which they are not: some questions are in a "
        "hundred pairs. Where the cost by pairs and by clusters differ, a few such questions make "
        "the difference.\n\n"
        "Labels err: among the near duplicates that guards object to are many that ask for another "
        "year, age or name (`over 92` and `over 91`, two earthquakes of different centuries), so "
        "the cost is an upper bound. What the guards leave are mostly added or replaced common "
        "words (`licks the floor`, `licks the carpet`), which is the verifier's work."
    )


def report(options: argparse.Namespace) -> str:
    """Measure everything and return the report."""
    pairs = read_pairs(pairs_file())
    parts = [[pairs[place] for place in part[: options.limit]] for part in halves(pairs)]
    cache_dir = options.cache_dir or default_cache_dir(os.environ)
    cosines, embedder = similarities([*parts[0], *parts[1]], cache_dir)
    first, second = parts
    sections = half(second, cosines[len(first) :], "Held out", held_out=True)
    sections.append(timing(second[:_TIMED]))
    sections += half(first, cosines[: len(first)], "Chosen on", held_out=False)
    return render("Guards", conditions(options, embedder), sections)


def main() -> int:
    """Measure, print the report and write it."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.guards", description=__doc__)
    parser.add_argument("--limit", type=int, help="pairs of each half, for a quick look")
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--cache-dir", type=Path, help="of prepared models")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    options = parser.parse_args()
    if not pairs_file().exists():
        print(f"{pairs_file()} is not there; CACHEMW_SHARED_DATA names its folder", file=sys.stderr)
        return 1
    text = report(options)
    print(text)
    options.out.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
