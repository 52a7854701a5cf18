"""What is found out about each pair, and who would serve it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from cachemw.calibrate.judge import Decider, judge
from cachemw.calibrate.pairs import Pair
from cachemw.endpoints.chat import ChatCompletions
from cachemw.keys import KeyScope, compatibility_key
from loadtests.adversarial.pairs import AdversarialPair

_CHAT = ChatCompletions()
_SCOPE = KeyScope("tenant", _CHAT.name, "upstream", "model")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A pair with all that the decision may use.

    `together`: one compatibility key, so that one can be a candidate for the other. `score` is NaN
    where the decision does not get that far.
    """

    pair: AdversarialPair
    together: bool
    cosine: float
    guard: str | None
    score: float


Serves = Callable[[Verdict], bool]


@dataclass(frozen=True, slots=True)
class Subject:
    """One way to decide, by its name in the report."""

    name: str
    serves: Serves


def verdicts(decider: Decider, pairs: Sequence[AdversarialPair]) -> list[Verdict]:
    """Ask everything about every pair; guards are asked about far pairs too."""
    plain = [Pair(pair.a, pair.b, pair.same) for pair in pairs]
    cosines = judge(replace(decider, verifier=None), plain, _silent).cosines
    scores = judge(decider, plain, _silent).scores
    return [
        Verdict(
            pair,
            partition(pair.history_a, pair.a) == partition(pair.history_b, pair.b),
            float(cosine),
            decider.objection(pair.a, pair.b),
            float(score),
        )
        for pair, cosine, score in zip(pairs, cosines, scores, strict=True)
    ]


def subjects(
    floor: float, cosines: Sequence[float], score: float, *, verified: bool = True
) -> tuple[Subject, ...]:
    """Return the ways that are compared, with their thresholds; the last is the service's.

    Plain cosine sees the last question alone, as a cache without compatibility keys does.
    """
    return (
        *(Subject(f"cosine >= {each:g}", partial(_above, each)) for each in cosines),
        Subject("guards only", lambda v: v.together and v.cosine >= floor and v.guard is None),
        Subject(
            "full decision" if verified else "guards, then cosine",
            lambda v: v.together and v.score >= score,
        ),
    )


def refusal(verdict: Verdict, floor: float) -> str:
    """Say what kept the full decision from serving a pair, the first of its steps that did."""
    if not verdict.together:
        return "another conversation"
    if not verdict.cosine >= floor:
        return f"cosine below {floor:g}"
    return "score below the threshold" if verdict.guard is None else f"guard: {verdict.guard}"


def partition(history: Sequence[str], question: str) -> bytes:
    """Return the compatibility key of a chat request."""
    said = [*history, question]
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(said)]
    found = _CHAT.question({"messages": messages})
    if found is None:
        raise ValueError("the last message is no question")
    return compatibility_key(_SCOPE, found.params_without, _CHAT.ignored)


def _above(cosine: float, verdict: Verdict) -> bool:
    return verdict.cosine >= cosine


def _silent(step: str, done: int, total: int) -> None:
    pass
