"""Says what a full cache should give up: `python -m loadtests.eviction`.

Replays real streams through eviction policies and quotas. Needs the data beside the project (see
loadtests/questions.py) and no quiet machine: nothing is timed. Takes about four minutes of one
core and writes loadtests/reports/eviction.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtests.eviction import streams
from loadtests.eviction.compare import compared, floods, tuned
from loadtests.eviction.streams import Stream, answer_lengths, data_folder
from loadtests.http.command import write_report
from loadtests.report import machine, render

REPORT = Path(__file__).parents[1] / "reports" / "eviction.md"

_Make = Callable[[np.random.Generator], Stream]


def tuning(folder: Path, lengths: NDArray[np.float64]) -> dict[str, _Make]:
    """Return the streams on which the half-life is chosen."""
    return {
        "searches by country": partial(_searches, folder, lengths, "country"),
        "synthetic conversations": partial(_conversations, folder, lengths, "synthetic"),
        "agents, even sessions": partial(_agents, folder, lengths, 0),
    }


def held_out(folder: Path, lengths: NDArray[np.float64]) -> dict[str, _Make]:
    """Return the streams that are reported."""
    return {
        "searches by state": partial(_searches, folder, lengths, "state"),
        "conversations": partial(_conversations, folder, lengths, "conversation"),
        "agents, odd sessions": partial(_agents, folder, lengths, 1),
    }


def _searches(
    folder: Path, lengths: NDArray[np.float64], level: str, rng: np.random.Generator
) -> Stream:
    return streams.searches(folder, level, rng, lengths)


def _conversations(
    folder: Path, lengths: NDArray[np.float64], kind: str, rng: np.random.Generator
) -> Stream:
    return streams.conversations(folder, rng, lengths, kind)


def _agents(
    folder: Path, lengths: NDArray[np.float64], half: int, rng: np.random.Generator
) -> Stream:
    return streams.agents(folder, rng, lengths, half)


def made(make: _Make, seeds: Sequence[int]) -> list[Stream]:
    """Return one stream a seed."""
    return [make(np.random.default_rng(seed)) for seed in seeds]


def report(folder: Path, runs: int, when: str) -> str:
    """Replay everything and return the report."""
    lengths = answer_lengths(folder)
    sections = [tuned({name: made(m, [100])[0] for name, m in tuning(folder, lengths).items()})]
    for name, make in held_out(folder, lengths).items():
        print(f"... {name}", file=sys.stderr, flush=True)
        sections.append(compared(name, made(make, range(runs))))
    reported = held_out(folder, lengths)
    pairs = zip(
        made(reported["searches by state"], range(runs)),
        made(reported["conversations"], range(runs)),
        strict=True,
    )
    sections.append(floods(list(pairs)))
    return render("What a full cache gives up", _conditions(runs, when), sections)


def _conditions(runs: int, when: str) -> str:
    return (
        f"{when}, {machine(('cachemw', 'numpy'))}. Command: `python -m loadtests.eviction`. "
        f"± is half of the 95 % interval of the mean over {runs} seeds (Student's t).\n\n"
        "Who asks what how often is real: Bing's searches of January 2020 by place, each as often "
        "as its popularity says, the order within a day drawn by the seed; prefix blocks of "
        "Mooncake's traces and of coding agents' sessions (every eighth block), in their order. "
        "An item's answer has a length drawn by the seed from the `GeneratedTokens` of Azure's "
        "conversations; it weighs 1800 bytes (vector, row) and 1.7 a token. **Assumed** is what a "
        "hit saves: 0.4 s and 10 ms a token of a fast model, 50 of a slow one, half of the items "
        "each. Capacities are parts of the bytes of all distinct items.\n\n"
        "`ours` is what the service does: decayed frequency x seconds saved / size, batches of "
        "1 %, two ghosts an entry that fits, half-life counted in turnovers of the cache. Belady's "
        "policy bounds the hits of items of equal size; with sizes and savings the optimum is "
        "NP-hard, so `clairvoyant` here is greedy (savings / size / distance to the next use): a "
        "strong reference, no bound. W-TinyLFU has exact counters and no sketch, which flatters "
        "it. Prefix blocks are no answers: those streams stand for recency and for scans, which "
        "searches have little of. Nothing expires.\n\n"
        "**How to read it.** What is maximised is `saved`; `ours` gives hits for it where cheap "
        "answers are asked for more often than dear ones. With equal costs and sizes its order is "
        "`ours, no costs`. Where next to nothing fits (1 % of blocks that are asked for once, in "
        "runs) W-TinyLFU saves more: it refuses to take in what it does not know, while a store "
        "that says `stored` has to take in everything. The rule for the half-life was settled with "
        "the first table at hand: by the mean part of the clairvoyant's savings it would be 10, "
        "which is worse where recency matters. The agents' sessions had been looked at as a whole "
        "before they were halved; the searches by state and the conversations had not."
    )


def _run(options: argparse.Namespace) -> str:
    return report(data_folder(), options.runs, options.date)


def main() -> int:
    """Replay, print the report and write it."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.eviction", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, choices=range(2, 7), help="seeds")
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    options = parser.parse_args()
    if not (data_folder() / "semantic").is_dir():
        print(f"{data_folder()} is not there; see CACHEMW_SHARED_DATA.", file=sys.stderr)
        return 1
    return write_report(_run, options)


if __name__ == "__main__":
    sys.exit(main())
