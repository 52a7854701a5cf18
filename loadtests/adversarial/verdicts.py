"""What is found out about each pair, and who would serve it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

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

    `together`: one compatibility key, so that one can be a candidate for the other. `guard` is the
    one that objects. `score` is the verifier's whatever the guards say, NaN where there is none:
    below the floor, and in a language that it does not know.
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
    judged = judge(replace(decider, objection=_no_objection), plain, _silent)
    return [
        Verdict(
            pair,
            partition(pair.history_a, pair.a) == partition(pair.history_b, pair.b),
            float(cosine),
            decider.objection(pair.a, pair.b),
            float(score),
        )
        for pair, cosine, score in zip(pairs, judged.cosines, judged.scores, strict=True)
    ]


def cosine_at(least: float) -> Subject:
    """Return plain cosine of the last question, as in a cache without compatibility keys."""
    return Subject(f"cosine >= {least:g}", lambda v: v.cosine >= least)


def guards_alone(floor: float) -> Subject:
    """Return what serves all that is near enough and not objected to."""
    near = f"cosine >= {floor:g}"
    return Subject(
        f"guards alone, {near}", lambda v: v.together and v.cosine >= floor and v.guard is None
    )


def verifier_alone(least: float) -> Subject:
    """Return what asks no guard."""
    return Subject(f"verifier alone >= {least:g}", lambda v: v.together and v.score >= least)


def decision(least: float) -> Subject:
    """Return what the service does where `least` is the threshold in force."""
    return Subject(
        f"guards and verifier >= {least:g}",
        lambda v: v.together and v.guard is None and v.score >= least,
    )


def refusal(verdict: Verdict, floor: float) -> str:
    """Say what kept the decision from serving a pair, the first of its steps that did."""
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


def _no_objection(_: str, __: str) -> str | None:
    return None


def _silent(step: str, done: int, total: int) -> None:
    pass
