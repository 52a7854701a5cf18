"""Says how often the cache is misled: `python -m loadtests.adversarial [--out FILE]`.

Runs the pairs of loadtests/adversarial/pairs.jsonl through the decision, with the models of the
default configuration. Needs nothing beside the project and no quiet machine: nothing is timed.
Takes some seconds. Writes loadtests/reports/adversarial.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

from cachemw_policies.category import CategoryPolicy

from cachemw.calibrate.load import load_decider
from cachemw.config import load_config
from loadtests.adversarial.pairs import AdversarialPair, read_pairs
from loadtests.adversarial.tables import bar, by_kind, mistakes, refusals
from loadtests.adversarial.verdicts import Subject, Verdict, subjects, verdicts
from loadtests.http.command import write_report
from loadtests.report import Section, machine, render

REPORT = Path(__file__).parents[1] / "reports" / "adversarial.md"
# The default threshold of a cache without a verifier, and the lowest with at most 5 % wrong on the
# question pairs (`cachemw calibrate`).
COSINES = (0.95, 0.993)
LIMIT = 0.02


def sections(judged: Sequence[Verdict], compared: Sequence[Subject], floor: float) -> list[Section]:
    """Return all tables; the bar is on the test half of what must not hit."""
    *_, full = compared
    found = []
    for same, what in ((False, "Must not hit"), (True, "Must hit")):
        for half in ("test", "dev"):
            group = [v for v in judged if v.pair.same == same and v.pair.half == half]
            about = "Share that is served. " + (
                "Every one is a wrong answer." if not same else "Each is a call saved."
            )
            section = by_kind(f"{what}, {half} half", about, group, compared)
            if not same and half == "test":
                section = replace(section, bars=(bar(group, full, LIMIT),))
            found.append(section)
    found.append(refusals([v for v in judged if v.pair.same], full, floor))
    dev = [v for v in judged if not v.pair.same and v.pair.half == "dev"]
    found.append(mistakes(dev, full))
    return found


def conditions(
    options: argparse.Namespace, pairs: Sequence[AdversarialPair], models: str, floor: float
) -> str:
    """Return how it was judged, and what that does not say."""
    hits = sum(pair.same for pair in pairs)
    return (
        f"{options.date}, {machine(('cachemw', 'openvino'))}. Command: `{_command(options)}`. "
        f"Models: {models}.\n\n"
        f"Data: {len(pairs)} pairs in `loadtests/adversarial/pairs.jsonl`, written by hand "
        f"without sight of the guards; {hits} must hit, {len(pairs) - hits} must not. Each "
        "is a question that someone could ask; no sentence is a pattern with names put in. Nothing "
        "was trained or chosen on the test half; a hash of the pair says which it is in. "
        "Intervals: 95 %, Wilson.\n\n"
        f"Subjects: plain cosine of the last question at {COSINES[0]:g}, where a tenth of what is "
        f"served on real question pairs is wrong, and at {COSINES[1]:g}, the lowest threshold with "
        "at most 5 % wrong there (`cachemw calibrate`); the guards alone, serving all that is at a "
        f"cosine of {floor:g} or more and not objected to; the full decision, which serves what "
        f"scores {options.threshold:g} or more after that (by default the threshold of a category "
        "before it is calibrated). Guards and full decision run inside one compatibility key, as "
        "the service does. These pairs are hard on purpose: the shares say which mistakes are "
        "made, not how often they would be met in traffic."
    )


def run(options: argparse.Namespace) -> str:
    """Judge all pairs and return the report."""
    pairs = read_pairs()
    config = load_config({"cache_dir": str(options.cache_dir)} if options.cache_dir else None)
    with closing(load_decider(config)) as decider:
        judged = verdicts(decider, pairs)
        embedder = decider.embedder
        verified = decider.verifier is not None
        score = decider.scale if verified else "the cosine, for there is no verifier"
        models = f"embedder {embedder.name} ({embedder.fingerprint}), score {score}"
        floor = decider.floor
    compared = subjects(floor, COSINES, options.threshold, verified=verified)
    about = conditions(options, pairs, models, floor)
    return render("Questions that mislead", about, sections(judged, compared, floor))


def _command(options: argparse.Namespace) -> str:
    given = options.threshold != CategoryPolicy("default").threshold
    threshold = f" --threshold {options.threshold:g}" if given else ""
    return f"python -m loadtests.adversarial{threshold}"


def main() -> int:
    """Judge, print the report and write it."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(prog="python -m loadtests.adversarial", description=__doc__)
    parser.add_argument(
        "--threshold",
        type=float,
        default=CategoryPolicy("default").threshold,
        help="least score (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--cache-dir", type=Path, help="of prepared models")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    return write_report(run, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
