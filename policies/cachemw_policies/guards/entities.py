"""Objects where both questions have a name or identifier that the other has no match for.

Own design. A name counts as matched by any word of the other question: in another letter case,
with a slip of the pen, as an acronym or spelled out.
"""

from __future__ import annotations

import re

from cachemw_policies.guards.base import Question
from cachemw_policies.guards.inflection import singular

_CAPITAL = re.compile(r"(?<![\w'])[A-Z][\w]*")
_IDENTIFIER = re.compile(
    r"https?://\S+|\S+@\S+\.\w+|(?<![\w-])--?[A-Za-z][\w-]*|\w+(?:_\w+)+|\w+(?:\.\w+)+(?:\(\))?"
    r"|[a-z]+[A-Z]\w*|[A-Z]+-?\d+\w*|\w+\(\)"
)
_SENTENCE = re.compile(r"(?:^|[.?!:]\s)\W*(\w+)")
_MOST = 12  # names a side that are compared; more are in no question that is asked twice


def differ(a: Question, b: Question) -> bool:
    """Say whether each has a name that the other lacks, or one an identifier that it lacks."""
    only_a = a.vocabulary - b.vocabulary
    only_b = b.vocabulary - a.vocabulary
    if not only_a or not only_b:
        return False
    names_a = _names(a.text, only_a)
    if not names_a:
        return False
    names_b = _names(b.text, only_b)
    if not names_b:
        return False
    return _unmatched(names_a, only_b, b) and _unmatched(names_b, only_a, a)


def _names(text: str, wanted: frozenset[str]) -> list[str]:
    """Return the capitalised words among `wanted`, unless capitals mean nothing in this text."""
    capitals = _CAPITAL.findall(text)
    small = sum(map(str.islower, text.split()))
    if len(capitals) <= 1 or len(capitals) > 2 * small + 1:
        return []
    first = {word.casefold() for word in _SENTENCE.findall(text)}
    names = (word.casefold() for word in capitals)
    return [name for name in names if name in wanted and name not in first][:_MOST]


def _unmatched(names: list[str], words: frozenset[str], other: Question) -> bool:
    return any(not _matched(name, words, other) for name in names)


def _matched(name: str, words: frozenset[str], other: Question) -> bool:
    stem = singular(name)
    return any(_alike(stem, singular(word)) for word in words) or _acronym(name, other)


def _alike(one: str, two: str) -> bool:
    """Say whether two words are one, up to a slip of the pen or an ending."""
    if one == two:
        return True
    if abs(len(one) - len(two)) > 3 or min(len(one), len(two)) < 4:
        return False
    same = 0
    for left, right in zip(one, two, strict=False):
        if left != right:
            break
        same += 1
    back = 0
    for left, right in zip(reversed(one[same:]), reversed(two[same:]), strict=False):
        if left != right:
            break
        back += 1
    return (
        same >= 4
        and same * 4 >= 3 * max(len(one), len(two))
        or (max(len(one), len(two)) - same - back <= (1 if len(one) < 8 else 2))
    )


def _acronym(name: str, other: Question) -> bool:
    """Say whether the words of the other spell the name out."""
    initials = "".join(word[0] for word in other.words)
    return 2 <= len(name) <= 6 and name in initials
