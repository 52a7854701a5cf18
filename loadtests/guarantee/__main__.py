"""Whether proven thresholds keep their promise: `python -m loadtests.guarantee [--runs N]`.

Streams of lookups are drawn from pairs of real questions that the verifier has not learnt from, and
served by each policy; what is served wrongly is counted. Needs the data beside the project (see
loadtests/questions.py). Takes five minutes of one core; nothing is timed. Writes
loadtests/reports/guarantee.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import date
from pathlib import Path

from cachemw.config import default_cache_dir
from cachemw.embed.load import load_embedder
from cachemw.embed.settings import EmbedderSettings
from loadtests.guarantee.data import SCORES, Judged, cosines_of, judged, stored, stretched
from loadtests.guarantee.report import Plan, report
from loadtests.http.command import write_report
from loadtests.questions import pairs_file, read_pairs
from loadtests.verifier.split import parts

REPORT = Path(__file__).parents[1] / "reports" / "guarantee.md"


def load(part: str, cache_dir: Path) -> tuple[Judged, str]:
    """Return the pairs of a part, judged, and what their scores are."""
    pairs = read_pairs(pairs_file())
    positions: list[int] = getattr(parts(pairs), part)
    embedder = load_embedder(EmbedderSettings(), cache_dir)
    cosines = cosines_of(pairs, positions, embedder)
    embedder.close()
    kept = stored(SCORES, positions)
    scores, name = (stretched(cosines), "cosine") if kept is None else (kept, "the verifier's")
    return judged([pairs[position] for position in positions], scores, cosines), name


def run(options: argparse.Namespace) -> str:
    """Judge and return the report."""
    pairs, scores = load(options.part, options.cache_dir or default_cache_dir(os.environ))
    plan = Plan(runs=options.runs, lookups=options.lookups, seed=options.seed)
    return report(pairs, scores, plan, options.date, options.part)


def main() -> int:
    """Judge, print the report and write it."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.guarantee", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="streams of each kind")
    parser.add_argument("--lookups", type=int, default=15_000, help="of one stream")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--part", choices=("calibration", "test"), default="test", help="tune on the first"
    )
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--cache-dir", type=Path, help="of prepared models")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    options = parser.parse_args()
    if not pairs_file().exists():
        where = "CACHEMW_SHARED_DATA names its folder."
        print(f"{pairs_file()} is not there; {where}", file=sys.stderr)
        return 1
    return write_report(run, options)


if __name__ == "__main__":
    sys.exit(main())
