"""Whether one answer would have served as well as another: pure comparison of two texts.

Own design. A verdict is a label from which a threshold is derived, and those pairs without one are
missing from it. So a kind of answer may be judged only if it is judged either way: a rule that
finds the right hits of a kind and not the wrong ones makes any threshold look good, and the
reverse. That leaves answers that come to something definite - a value, a choice, a bare yes or no.
Prose and code are UNSURE: neither the cosine of embeddings nor words in common tell the same from
something near it (loadtests/reports/answers.md), and a model has to judge them, or nobody.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from cachemw_policies.answer_reading import Conclusion, Reading, read

# What is longer is no short conclusion with a way to it, and takes time to read.
_MOST_CHARS = 20_000


class Outcome(StrEnum):
    """What a comparison says; the values are metric labels."""

    SAME = "same"
    DIFFERENT = "different"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome and what it rests on: `value`, `stance`, `judge`, or what nothing was found in."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class AnswerSettings:
    """`value_overlap`: what two ways to one value must have in common of their numbers.

    A Jaccard index. Two different problems may come to one value; their ways there differ.
    """

    value_overlap: float = 0.4


def compare(a: str, b: str, settings: AnswerSettings | None = None) -> Verdict:
    """Judge two answers; symmetric.

    SAME means that who was given one would have been served as well by the other.
    """
    if max(len(a), len(b)) > _MOST_CHARS:
        return _unsure("long")
    one, other = read(a), read(b)
    unread = {reason for each in (one, other) if (reason := _not_read(each)) is not None}
    if unread:
        return _unsure(min(unread))
    if one.yes is not None and other.yes is not None:
        return _stances(one, other)
    return _values(one, other, settings or AnswerSettings())


def one_text(a: str, b: str) -> bool:
    """Whether two answers are one, up to case, white space and what encloses them."""
    return read(a).plain == read(b).plain


def _stances(one: Reading, other: Reading) -> Verdict:
    """Judge where one is a bare yes or no: otherwise what comes after it matters too."""
    if 1 not in (len(one.words), len(other.words)):
        return _unsure("stance")
    return Verdict(Outcome.SAME if one.yes is other.yes else Outcome.DIFFERENT, "stance")


def _not_read(reading: Reading) -> str | None:
    if not reading.plain:
        return "empty"
    if reading.code:
        return "code"
    return "refusal" if reading.refuses else None


def _values(one: Reading, other: Reading, settings: AnswerSettings) -> Verdict:
    if one.conclusion is None or other.conclusion is None:
        return _unsure("prose")
    agree = _agree(one.conclusion, other.conclusion)
    if agree is None:
        return _unsure("value")
    if not agree:
        return Verdict(Outcome.DIFFERENT, "value")
    # Of an answer that is nothing but its value there is no way to compare.
    bare = min(len(one.numbers), len(other.numbers)) <= 1
    if bare or overlap(one.numbers, other.numbers) >= settings.value_overlap:
        return Verdict(Outcome.SAME, "value")
    return _unsure("value")


def _agree(one: Conclusion, other: Conclusion) -> bool | None:
    """Return None where both are not definite: names have several spellings."""
    if not one.settled or not other.settled:
        return None
    if one.value is not None and other.value is not None:
        return one.value == other.value
    if one.value is None and other.value is None:
        return None if one.candidates & other.candidates else False
    sure, unsure = (one, other) if one.value is not None else (other, one)
    return sure.value in unsure.candidates


def overlap(one: AbstractSet[str], other: AbstractSet[str]) -> float:
    """Return the Jaccard index of two sets, 1 for two empty ones (Jaccard 1901)."""
    either = one | other
    return len(one & other) / len(either) if either else 1.0


def _unsure(reason: str) -> Verdict:
    return Verdict(Outcome.UNSURE, reason)
