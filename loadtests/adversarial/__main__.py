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
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from cachemw.calibrate.load import load_decider
from cachemw.categories.source import load_policy
from cachemw.config import load_config
from loadtests.adversarial.pairs import AdversarialPair, read_pairs
from loadtests.adversarial.tables import bar, by_kind, mistakes, overview, refusals
from loadtests.adversarial.verdicts import (
    Subject,
    Verdict,
    cosine_at,
    decision,
    guards_alone,
    verdicts,
    verifier_alone,
)
from loadtests.http.command import write_report
from loadtests.report import Section, machine, render

REPORT = Path(__file__).parents[1] / "reports" / "adversarial.md"
# Where a tenth of what is served on the question pairs is wrong, and the lowest with at most 5 %.
COSINES = (0.95, 0.993)
# Shipped categories: the most cautious, that of questions of fact, and the least cautious.
CATEGORIES = ("default", "factual", "conversation")
LIMIT = 0.02


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways to decide that are compared: all of them, and those in the tables by kind.

    `decisions` are the service's, by falling threshold.
    """

    floor: float
    every: tuple[Subject, ...]
    by_kind: tuple[Subject, ...]
    decisions: tuple[Subject, ...]


def ways(floor: float, thresholds: Sequence[float]) -> Ways:
    """Return what is compared; `thresholds` fall."""
    cosines = tuple(map(cosine_at, COSINES))
    guards = guards_alone(floor)
    verifiers = tuple(map(verifier_alone, thresholds))
    decisions = tuple(map(decision, thresholds))
    return Ways(
        floor,
        (*cosines, guards, *verifiers, *decisions),
        (cosines[0], guards, verifiers[0], *decisions),
        decisions,
    )


def sections(judged: Sequence[Verdict], compared: Ways) -> list[Section]:
    """Return all tables; the bars are on the test half of what must not hit."""
    barred = [v for v in judged if not v.pair.same and v.pair.half == "test"]
    bars = tuple(bar(barred, each, LIMIT) for each in compared.decisions)
    found = [replace(overview(judged, compared.every), bars=bars)]
    for same, what in ((False, "Must not hit"), (True, "Must hit")):
        for half in ("test", "dev"):
            group = [v for v in judged if v.pair.same == same and v.pair.half == half]
            about = "Share that is served. " + (
                "Every one is a wrong answer." if not same else "Each is a call saved."
            )
            found.append(by_kind(f"{what}, {half} half", about, group, compared.by_kind))
    most_cautious, *_, least_cautious = compared.decisions
    hits = [v for v in judged if v.pair.same]
    found.append(refusals(hits, most_cautious, compared.floor))
    dev = [v for v in judged if not v.pair.same and v.pair.half == "dev"]
    found.append(mistakes(dev, least_cautious))
    return found


def conditions(
    options: argparse.Namespace, pairs: Sequence[AdversarialPair], models: str, compared: Ways
) -> str:
    """Return how it was judged, and what that does not say."""
    hits = sum(pair.same for pair in pairs)
    said = ", ".join(f"{name} {_threshold(name):g}" for name in CATEGORIES)
    return (
        f"{options.date}, {machine(('cachemw', 'openvino'))}. Command: "
        f"`python -m loadtests.adversarial`. Models: {models}.\n\n"
        f"Data: {len(pairs)} pairs in `loadtests/adversarial/pairs.jsonl`, written by hand "
        f"without sight of the guards; {hits} must hit, {len(pairs) - hits} must not. Each "
        "is a question that someone could ask; no sentence is a pattern with names put in. Nothing "
        "was trained or chosen on the test half; a hash of the pair says which it is in. "
        "Intervals: 95 %, Wilson.\n\n"
        f"Compared: plain cosine of the last question at {COSINES[0]:g}, where a tenth of what is "
        f"served on real question pairs is wrong, and at {COSINES[1]:g}, the lowest threshold with "
        "at most 5 % wrong there (`cachemw calibrate`); the guards alone; the verifier alone; and "
        f"both, as the service decides. Guards and verifier look at what has a cosine of "
        f"{compared.floor:g} or more, inside one compatibility key. The thresholds on the score "
        f"are those that the shipped policies begin with ({said}), whatever category a pair would "
        "have. These pairs are hard on purpose: the shares say which mistakes are made, not how "
        "often they would be met in traffic."
    )


def run(options: argparse.Namespace) -> str:
    """Judge all pairs and return the report."""
    pairs = read_pairs()
    config = load_config({"cache_dir": str(options.cache_dir)} if options.cache_dir else None)
    with closing(load_decider(config)) as decider:
        judged = verdicts(decider, pairs)
        embedder = decider.embedder
        models = f"embedder {embedder.name} ({embedder.fingerprint}), verifier {decider.scale}"
        compared = ways(decider.floor, [_threshold(name) for name in CATEGORIES])
    about = conditions(options, pairs, models, compared)
    return render("Questions that mislead", about, sections(judged, compared))


def _threshold(category: str) -> float:
    return load_policy(None).of(category).threshold


def main() -> int:
    """Judge, print the report and write it."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(prog="python -m loadtests.adversarial", description=__doc__)
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--cache-dir", type=Path, help="of prepared models")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    return write_report(run, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
