"""Rules for prose, code and short answers that were tried and are not used: what they would say.

They find some of the pairs, with few errors - and still more errors than there are wrong hits to be
found. See the report.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

from cachemw_policies.answer_reading import numbers
from cachemw_policies.answers import Outcome

_BLOCK = re.compile(r"```[^\n]*\n(.*?)```", re.DOTALL)
_TOKEN = re.compile(r"\w+|[^\w\s]")
_WORD = re.compile(r"\w+(?:['’.]\w+)*")
_DENIED = frozenset(
    {"not", "no", "never", "cannot", "without", "except", "isn't", "don't", "didn't"}
)
_ARTICLES = frozenset({"a", "an", "the"})
# Chosen by hand on the half that is not held out, to judge one pair in a hundred wrongly.
_SAME_COSINE, _SAME_WORDS, _CODE, _SHORT, _SENTENCE = 0.97, 0.8, 0.1, 6, 40


def by_rules(a: str, b: str, cosine: float) -> Outcome:
    """Judge by code in common, containment, numbers that contradict, words in common."""
    blocks = _BLOCK.findall(a), _BLOCK.findall(b)
    if all(blocks):
        return _code(*(code_tokens("\n".join(each)) for each in blocks))
    one, other = words(a), words(b)
    short, long = sorted((one, other), key=len)
    denied = not _DENIED.isdisjoint(one), not _DENIED.isdisjoint(other)
    if len(short) <= _SHORT and len(long) <= _SENTENCE and not any(denied) and _runs(short, long):
        return Outcome.SAME
    here, there = numbers(a), numbers(b)
    if here - there and there - here and len(long) <= _SENTENCE:
        return Outcome.DIFFERENT
    alike = cosine >= _SAME_COSINE and share_in_common(one, other) >= _SAME_WORDS
    return Outcome.SAME if alike and here == there and denied[0] is denied[1] else Outcome.UNSURE


def words(text: str) -> list[str]:
    """Return the words, lower-case."""
    return _WORD.findall(text.lower())


def code_tokens(code: str) -> list[str]:
    """Return tokens; kinds of quotes, white space and what ends a statement do not matter."""
    return [token for token in _TOKEN.findall(code) if token not in "'\"`;"]


def share_in_common(one: Collection[str], other: Collection[str]) -> float:
    """Return the Jaccard index of two bags of words, 1 for two empty ones."""
    here, there = Counter(one), Counter(other)
    either = (here | there).total()
    return (here & there).total() / either if either else 1.0


def _code(one: Sequence[str], other: Sequence[str]) -> Outcome:
    if one == other:
        return Outcome.SAME
    alien = share_in_common(one, other) < _CODE
    return Outcome.DIFFERENT if alien else Outcome.UNSURE


def _runs(short: Sequence[str], long: Sequence[str]) -> bool:
    part = [word for word in short if word not in _ARTICLES]
    whole = [word for word in long if word not in _ARTICLES]
    starts = range(len(whole) - len(part) + 1)
    return bool(part) and any(whole[n : n + len(part)] == part for n in starts)
