"""Objects where one question has a word and the other its opposite.

Own design.
"""

from __future__ import annotations

from collections.abc import Iterable

from cachemw_policies.guards.antonym_words import PAIRS
from cachemw_policies.guards.base import Question
from cachemw_policies.guards.inflection import forms
from cachemw_policies.guards.wordlist import in_order


def _sides() -> Iterable[tuple[frozenset[str], frozenset[str]]]:
    for line in PAIRS.split(";"):
        left, right = (
            frozenset(form for word in side.split(",") for form in forms(word.strip()))
            for side in line.split("|")
        )
        yield left - right, right - left


def _opposites() -> dict[str, tuple[tuple[frozenset[str], frozenset[str]], ...]]:
    """Map every word to its sides: those like it and those against it."""
    table: dict[str, tuple[tuple[frozenset[str], frozenset[str]], ...]] = {}
    for left, right in _sides():
        for side, against in ((left, right), (right, left)):
            for word in side:
                table[word] = (*table.get(word, ()), (side, against))
    return table


# `in` and `out` are opposites only after these.
_IN_OR_OUT = frozenset(
    form
    for word in in_order("log sign opt zoom check clock fade cash logging signing")
    for form in forms(word)
)
_OPPOSITES = _opposites()
_KNOWN = frozenset(_OPPOSITES)


def differ(a: Question, b: Question) -> bool:
    """Say whether a word of one stands in the other as its opposite, and only so."""
    if _in_and_out(a, b) or _in_and_out(b, a):
        return True
    only_a = (a.vocabulary - b.vocabulary) & _KNOWN
    if not only_a:
        return False
    only_b = (b.vocabulary - a.vocabulary) & _KNOWN
    if not only_b:
        return False
    for word in only_a:
        for side, against in _OPPOSITES[word]:
            if (
                not only_b.isdisjoint(against)
                and b.vocabulary.isdisjoint(side)
                and a.vocabulary.isdisjoint(against)
            ):
                return True
    return False


def _in_and_out(a: Question, b: Question) -> bool:
    return (
        "out" in a.vocabulary
        and "in" in b.vocabulary
        and "in" not in a.vocabulary
        and "out" not in b.vocabulary
        and not _IN_OR_OUT.isdisjoint(a.vocabulary)
        and not _IN_OR_OUT.isdisjoint(b.vocabulary)
    )
