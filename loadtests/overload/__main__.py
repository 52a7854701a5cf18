"""What load adaptation takes off an overloaded upstream: `python -m loadtests.overload`.

Simulates (see traffic.py, upstream.py, replay.py) and writes loadtests/reports/overload.md. Takes
about two minutes.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import date
from pathlib import Path

from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import CategoryState
from cachemw_policies.thresholds import GuaranteeSettings, calibrated

from cachemw.config import default_cache_dir
from loadtests.overload.compare import Question, over_seeds, runs
from loadtests.overload.scores import KEPT, Held, held_out
from loadtests.overload.tables import ByWay, Done, report
from loadtests.overload.traffic import Mix, read_trace, trace_file
from loadtests.overload.upstream import Capacity
from loadtests.questions import pairs_file, read_pairs

REPORT = Path(__file__).parents[1] / "reports" / "overload.md"
LOADS = (0.8, 1.0, 1.2, 1.5)
NEAR = (0.25, 0.5, 1.0)
NEAR_AT = 1.2
DELTAS = (0.03, 0.05, 0.1, 0.15, 0.2)
"""Error budgets in calm, of which the smallest is taken that the calibration part can prove."""
_OVERLOAD_TIMES, _OVERLOAD_MOST = 3, 0.3
"""Under overload a budget grows that many times over, up to that."""
_TTL_S = 3600.0


def proven(held: Held) -> tuple[CategoryPolicy, CategoryState]:
    """Return a policy and its thresholds, proven on the calibration part.

    Raises ValueError where none can be.
    """
    settings = GuaranteeSettings()
    scores, same = held.calibration.scores, held.calibration.same
    for delta in DELTAS:
        wider = min(_OVERLOAD_TIMES * delta, _OVERLOAD_MOST)
        normal, overload = (
            calibrated(scores, same, each, settings, None) for each in (delta, wider)
        )
        if normal.threshold is not None and overload.threshold is not None:
            policy = CategoryPolicy(
                "default",
                ttl=_TTL_S,
                ttl_overload=4 * _TTL_S,
                delta=delta,
                delta_overload=wider,
            )
            return policy, CategoryState(normal, overload)
    raise ValueError(f"no threshold can be proven for error budgets up to {DELTAS[-1]:g}")


def averaged(question: Question, load: float, mix: Mix, seeds: int) -> ByWay:
    """Return all figures of all ways over the seeds."""
    print(f"... load {load:g}, near {mix.near:.0%}", file=sys.stderr, flush=True)
    found = [runs(question, load, mix, seed) for seed in range(seeds)]
    return {name: over_seeds([one[name] for one in found]) for name in found[0]}


def main() -> int:
    """Simulate, print the report and write it."""
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
    options.out.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
