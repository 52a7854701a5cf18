"""Tries inputs in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from loadtests.kv.fuzz.cases import Case, Cases
from loadtests.kv.fuzz.judge import DECODED, Judge
from loadtests.kv.fuzz.tally import Tally

MEASURED_EVERY = 50
"""Memory is measured for one input in so many; odd and even ones take turns."""


def warm(cases: Cases, judge: Judge) -> None:
    """Decode what is well-formed, so that everything is compiled and cached; it has to decode."""
    for specimen in cases.specimens:
        case = Case(0, "raw", specimen.codec, specimen.data)
        # Measuring too, because what it loads at first would be counted.
        for outcome in (judge.outcome(case), judge.measured(case)[0]):
            if outcome != DECODED:
                raise RuntimeError(f"{specimen.codec} at {specimen.level}: {outcome}")


def tried(
    cases: Cases,
    judge: Judge,
    numbers: Iterable[int],
    clock: Callable[[], float] = time.perf_counter,
) -> Tally:
    """Return what came of the inputs of these numbers."""
    tally = Tally()
    for number in numbers:
        case = cases[number]
        try:
            _try(case, judge, tally, clock)
        except Exception as error:  # noqa: BLE001 - which there are is the question
            what = f"{type(error).__name__}: {error}".splitlines()[0]
            tally.fault(case, what[:200])
    return tally


def _try(case: Case, judge: Judge, tally: Tally, clock: Callable[[], float]) -> None:
    if case.number // 2 % MEASURED_EVERY:
        begun = clock()
        outcome = judge.outcome(case)
        tally.count(case, outcome, clock() - begun)
        return
    outcome, held, allowed = judge.measured(case)
    tally.hold(case, held / allowed)
    if held > allowed:
        tally.fault(case, f"held {held} bytes, {allowed} are allowed")
    else:
        tally.count(case, outcome, 0.0)
