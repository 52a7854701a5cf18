"""How long the guards take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from cachemw_policies.guards.base import Guard, Question
from cachemw_policies.guards.table import GUARDS, objection, read

from loadtests.questions import Pair
from loadtests.report import Section, at_most

_ROUNDS = 5
_LONG = 2000  # characters
BUDGET = 100.0  # microseconds a pair


def timed(work: Callable[[], object]) -> float:
    """Return the processor's seconds of the fastest of some rounds: others may use it too."""
    rounds = []
    for _ in range(_ROUNDS):
        start = time.process_time()
        work()
        rounds.append(time.process_time() - start)
    return min(rounds)


def timing(pairs: Sequence[Pair]) -> Section:
    """Measure reading, every guard and all together, in microseconds a pair."""
    questions = [(read(pair.a), read(pair.b)) for pair in pairs]
    each = 1e6 / len(pairs)
    rows = [("reading both", timed(lambda: [(read(p.a), read(p.b)) for p in pairs]) * each)]
    rows += [
        (name, timed(partial(_ask, guard, questions)) * each) for name, guard in GUARDS.items()
    ]
    whole = timed(lambda: [objection(read(p.a), read(p.b)) for p in pairs]) * each
    rows.append(("reading both, guards until one objects", whole))
    texts = [(_long(pair.a), _long(pair.b)) for pair in pairs[:100]]
    long = timed(lambda: [objection(read(a), read(b)) for a, b in texts]) * 1e6 / len(texts)
    rows.append((f"the same, questions repeated to {_LONG} characters", long))
    length = np.mean([len(text) for pair in pairs for text in (pair.a, pair.b)])
    return Section(
        "Time",
        f"Microseconds of the processor a pair, the fastest of {_ROUNDS} rounds over {len(pairs)} "
        f"pairs of the held-out half; {length:.0f} characters a question on average.",
        ("", "µs a pair"),
        [(name, f"{value:.1f}") for name, value in rows],
        [at_most("reading both and the guards, a pair of usual questions", whole, BUDGET, "µs")],
    )


def _ask(guard: Guard, questions: Sequence[tuple[Question, Question]]) -> None:
    for a, b in questions:
        guard(a, b)


def _long(text: str) -> str:
    return f"{text} " * (_LONG // (len(text) + 1) + 1)
