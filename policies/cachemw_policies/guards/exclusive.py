"""Objects where the questions name different members of a set that excludes one another.

`Linux` and `Windows`, `red` and `blue`. Written in lower case as often as not, so they are not left
to the guard of names. The sets are curated by hand (own design).
"""

from __future__ import annotations

from collections.abc import Mapping

from cachemw_policies.guards.base import Question
from cachemw_policies.guards.exclusive_words import SETS


def _members(sets: Mapping[str, str]) -> dict[str, tuple[tuple[str, int], ...]]:
    """Map every word to its sets, with its number there: other spellings have the same number."""
    table: dict[str, tuple[tuple[str, int], ...]] = {}
    for name, lines in sets.items():
        for number, member in enumerate(" ".join(lines.split()).split(",")):
            for word in member.split():
                for spelling in (word, f"{word}s"):
                    table[spelling] = (*table.get(spelling, ()), (name, number))
    return table


_MEMBERS = _members(SETS)
_KNOWN = frozenset(_MEMBERS)


def differ(a: Question, b: Question) -> bool:
    """Say whether each of the two has a member of one set that the other does not have."""
    only_a = (a.vocabulary - b.vocabulary) & _KNOWN
    if not only_a:
        return False
    only_b = (b.vocabulary - a.vocabulary) & _KNOWN
    if not only_b:
        return False
    named_a, named_b = _named(a.vocabulary), _named(b.vocabulary)
    alone_a, alone_b = named_a - named_b, named_b - named_a
    return not {name for name, _ in alone_a}.isdisjoint(name for name, _ in alone_b)


def _named(vocabulary: frozenset[str]) -> set[tuple[str, int]]:
    return {member for word in vocabulary & _KNOWN for member in _MEMBERS[word]}
