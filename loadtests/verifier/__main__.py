"""Says what the verifier is worth: `python -m loadtests.verifier`.

Scores the held-out question pairs with the shipped verifier, as the service loads it, and compares
it with plain cosine and others. Needs the data beside the project (loadtests/questions.py) and the
runs of training (runs.py). Scoring takes some minutes; scores are kept in the cache and are used
again as long as the verifier's fingerprint is the same. Writes loadtests/reports/verifier.md.
"""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path

from loadtests.questions import pairs_file
from loadtests.verifier.compare import report
from loadtests.verifier.cosines import KEPT
from loadtests.verifier.runs import RUNS

REPORT = Path(__file__).parents[1] / "reports" / "verifier.md"


def main() -> int:
    """Measure, print the report and write it."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.verifier", description=__doc__)
    parser.add_argument("--rounds", type=int, default=300, help="draws of the bootstrap")
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--kept", type=Path, default=KEPT, help="folder of scores")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the runs of training")
    parser.add_argument("--cache-dir", type=Path, help="of prepared models")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    options = parser.parse_args()
    for needed in (pairs_file(), options.runs / "rows.jsonl.gz"):
        if not needed.exists():
            print(f"{needed} is not there", file=sys.stderr)
            return 1
    text = report(options)
    print(text)
    options.out.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
