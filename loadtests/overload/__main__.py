"""What load adaptation takes off an overloaded upstream: `python -m loadtests.overload`.

Simulates (see traffic.py, upstream.py, replay.py) and writes the first part of
loadtests/reports/overload.md; takes about two minutes. `python -m loadtests.overload live` replays
the same kind of arrivals against the real service (live.py) and writes the second part.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import date
from pathlib import Path

from cachemw.config import default_cache_dir
from loadtests.overload import live
from loadtests.overload.compare import Question, over_seeds, runs
from loadtests.overload.parts import write_simulated
from loadtests.overload.proof import proven
from loadtests.overload.scores import KEPT, held_out
from loadtests.overload.tables import ByWay, Done, report
from loadtests.overload.traffic import Mix, read_trace, trace_file
from loadtests.overload.upstream import Capacity
from loadtests.questions import pairs_file, read_pairs

REPORT = Path(__file__).parents[1] / "reports" / "overload.md"
LOADS = (0.8, 1.0, 1.2, 1.5)
NEAR = (0.25, 0.5, 1.0)
NEAR_AT = 1.2


def averaged(question: Question, load: float, mix: Mix, seeds: int) -> ByWay:
    """Return all figures of all ways over the seeds."""
    print(f"... load {load:g}, near {mix.near:.0%}", file=sys.stderr, flush=True)
    found = [runs(question, load, mix, seed) for seed in range(seeds)]
    return {name: over_seeds([one[name] for one in found]) for name in found[0]}


def main() -> int:
    """Simulate, print the report's first part and write it."""
    if sys.argv[1:2] == ["live"]:
        return live.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m loadtests.overload", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--cache-dir", type=Path, default=default_cache_dir(os.environ))
    parser.add_argument("--kept", type=Path, default=KEPT, help="where the verifier's scores are")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    options = parser.parse_args()
    for path in (pairs_file(), trace_file()):
        if not path.exists():
            print(f"{path} is not there; CACHEMW_SHARED_DATA names its folder.", file=sys.stderr)
            return 1
    held = held_out(read_pairs(pairs_file()), options.cache_dir, options.kept)
    question = Question(read_trace(trace_file()), held.test, *proven(held), Capacity())
    fewer, mix = max(2, options.seeds // 2), Mix()
    done = Done(
        {load: averaged(question, load, mix, options.seeds) for load in LOADS},
        {near: averaged(question, NEAR_AT, Mix(near), fewer) for near in NEAR},
        NEAR_AT,
        (options.seeds, fewer),
    )
    seeds = f" --seeds {options.seeds}" if options.seeds != 20 else ""
    command = f"{options.date}. Command: `python -m loadtests.overload{seeds}`."
    text = report(done, question, held, mix, command)
    print(text)
    write_simulated(options.out, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
