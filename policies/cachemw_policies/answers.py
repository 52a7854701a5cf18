"""Whether one answer would have served as well as another: pure comparison of two texts.

Own design. Two samples of one model to one question differ in wording, and answers to two near
questions are alike in wording; so what decides is what an answer *says*: the value it comes to, its
stance, its code, the things it names. The cosine of embeddings only confirms. Where neither
settles it the verdict is UNSURE, which is no label (loadtests/reports/answers.md says how often
each verdict is wrong).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from cachemw_policies.answer_reading import Conclusion, Reading, read


class Outcome(StrEnum):
    """What a comparison says; the values are metric labels."""

    SAME = "same"
    DIFFERENT = "different"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome and what it rests on: `equal`, `value`, `stance`, `refusal`, `code`, ..."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class AnswerSettings:
    """Limits of the comparison.

    `value_overlap`: what two answers that come to one value must share of their numbers, unless
    their cosine is at least `value_similarity`. `same_similarity` and `different_similarity` bound
    the band of cosines in which prose is UNSURE; above it `same_overlap` of the words must be
    common too. Of code, less than `code_overlap` of the tokens in common is different. An answer
    of at most `short_words` is looked for in one of at most `around_words`; numbers contradict
    each other in answers of that length alone.
    """

    value_overlap: float = 0.5
    value_similarity: float = 0.85
    same_similarity: float = 0.97
    same_overlap: float = 0.8
    different_similarity: float = 0.3
    code_overlap: float = 0.15
    short_words: int = 6
    around_words: int = 40


class _Pair(NamedTuple):
    one: Reading
    other: Reading
    similarity: float | None
    limits: AnswerSettings


def compare(
    a: str, b: str, similarity: float | None = None, settings: AnswerSettings | None = None
) -> Verdict:
    """Judge two answers; symmetric. `similarity` is the cosine of their embeddings, if known.

    SAME means that who was given one would have been served as well by the other.
    """
    pair = _Pair(read(a), read(b), similarity, settings or AnswerSettings())
    if not pair.one.plain or not pair.other.plain:
        return _unsure("empty")
    if pair.one.plain == pair.other.plain:
        return _same("equal")
    for rule in (_refusals, _stances, _codes, _conclusions, _contained, _prose):
        verdict = rule(pair)
        if verdict is not None:
            return verdict
    return _unsure("prose")


def parts_to_embed(text: str, size: int) -> tuple[str, str]:
    """Return the beginning and the end of a text, `size` characters each at most.

    An embedder cuts what is long, and what an answer comes to stands at its end.
    """
    stripped = text.strip()
    return stripped[:size], stripped[-size:]


def similarity_of(cosines: Sequence[float]) -> float:
    """Return one similarity from those of the beginnings and of the ends: their mean."""
    return sum(cosines) / len(cosines)


def _refusals(pair: _Pair) -> Verdict | None:
    one, other = pair.one.refuses, pair.other.refuses
    if one and other:
        return _unsure("both refuse")  # it says nothing of the question
    return _different("refusal") if one or other else None


def _stances(pair: _Pair) -> Verdict | None:
    one, other = pair.one, pair.other
    if one.yes is None or other.yes is None:
        return None
    if one.yes is not other.yes:
        return _different("stance")
    # A bare yes is the same yes whatever comes after the other.
    return _same("stance") if 1 in (len(one.words), len(other.words)) else None


def _codes(pair: _Pair) -> Verdict | None:
    one, other = pair.one.code, pair.other.code
    if one is None and other is None:
        return None
    if one is None or other is None:
        return _unsure("code in one")
    if one == other:
        return _same("code")
    alien = share_in_common(one, other) < pair.limits.code_overlap
    return _different("code") if alien else _unsure("code")


def _conclusions(pair: _Pair) -> Verdict | None:
    one, other, limits = pair.one.conclusion, pair.other.conclusion, pair.limits
    if one is None or other is None:
        return None
    agrees = _agree(one, other)
    if agrees is None:
        return _unsure("value")
    if not agrees:
        return _different("value")
    # Two questions may come to one value by different ways: that would be chance.
    overlap = share_in_common(pair.one.numbers, pair.other.numbers)
    alike = pair.similarity is not None and pair.similarity >= limits.value_similarity
    return _same("value") if alike or overlap >= limits.value_overlap else _unsure("value")


def _agree(one: Conclusion, other: Conclusion) -> bool | None:
    if one.value is None and other.value is None:
        return None if one.candidates & other.candidates else False
    sure, unsure = (one, other) if one.value is not None else (other, one)
    if unsure.value is None and sure.value in unsure.candidates:
        return True
    if sure.value == unsure.value:
        return True
    return False if one.settled and other.settled else None


def _contained(pair: _Pair) -> Verdict | None:
    """Look for a short answer, such as a name, in a sentence that says it."""
    limits = pair.limits
    short, long = sorted((pair.one, pair.other), key=lambda reading: len(reading.words))
    if len(short.words) > limits.short_words or len(long.words) > limits.around_words:
        return None
    if short.negates or long.negates:
        return _unsure("denied")
    return _same("contained") if _runs_in(short.words, long.words) else None


def _prose(pair: _Pair) -> Verdict | None:
    one, other, similarity, limits = pair
    if _conflict(one.numbers, other.numbers) and _longest(pair) <= limits.around_words:
        return _different("numbers")
    if similarity is None:
        return None
    if similarity <= limits.different_similarity:
        return _different("similarity")
    alike = (
        similarity >= limits.same_similarity
        and one.specifics == other.specifics
        and one.negates is other.negates
        and share_in_common(one.words, other.words) >= limits.same_overlap
    )
    return _same("similarity") if alike else None


def _conflict(one: AbstractSet[str], other: AbstractSet[str]) -> bool:
    """Whether each has what the other has not; one that says more says nothing else."""
    return bool(one - other) and bool(other - one)


def _longest(pair: _Pair) -> int:
    return max(len(pair.one.words), len(pair.other.words))


def share_in_common(one: Collection[str], other: Collection[str]) -> float:
    """Return the Jaccard index of two bags of words, 1 for two empty ones (Jaccard 1901)."""
    here, there = Counter(one), Counter(other)
    either = (here | there).total()
    return (here & there).total() / either if either else 1.0


def _runs_in(short: Sequence[str], long: Sequence[str]) -> bool:
    content = [word for word in short if word not in ("a", "an", "the")]
    size = len(content)
    words = [word for word in long if word not in ("a", "an", "the")]
    return bool(content) and any(
        words[start : start + size] == content for start in range(len(words) - size + 1)
    )


def _same(reason: str) -> Verdict:
    return Verdict(Outcome.SAME, reason)


def _different(reason: str) -> Verdict:
    return Verdict(Outcome.DIFFERENT, reason)


def _unsure(reason: str) -> Verdict:
    return Verdict(Outcome.UNSURE, reason)
