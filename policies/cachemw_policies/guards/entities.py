"""Objects where both questions have a name or identifier that the other has no match for.

Own design. A name counts as matched by any word of the other question: in another letter case,
with a slip of the pen, as an acronym or spelled out.
"""

from __future__ import annotations

import re

from cachemw_policies.guards.aliases import ALIASES
from cachemw_policies.guards.base import Question
from cachemw_policies.guards.inflection import singular
from cachemw_policies.guards.spelling import alike
from cachemw_policies.guards.wordlist import listed

_CAPITAL = re.compile(r"(?<![\w'])(?:[A-Z]|[a-z]+[A-Z])\w*")
# `getUser` and `foo.bar`: a name in a program.
_CODE = re.compile(r"(?<!\w)(?:[A-Za-z][a-z0-9]+[A-Z]\w*|[a-z_]\w*\.[a-z_]\w*)")
_WRITTEN = re.compile(r"[^\W_]+")
_SENTENCE = re.compile(r"(?:^\W{0,3}|[.?!:]\s{1,3}\W?)(\w+)")
_MARKS = ("_", "@", "::", "()", "-", "://")  # what no identifier is without
_IDENTIFIER = re.compile(r"[_@]|::|\(\)|://|(?:^|\s)--?[a-z]", re.IGNORECASE)
_NO_NAMES = listed(
    "i a an the and or but if is are was do does did can could should would will what why how "
    "when where who which in on at to of for by with from my your it ok please it's explain also "
    "not no yes then so as vs than we you he she they this that these those me best top rs inr usd"
)
_MOST = 12  # names a side that are compared; more are in no question that is asked twice


def differ(a: Question, b: Question) -> bool:
    """Say whether each has a name that the other lacks, or one an identifier that it lacks."""
    only_a = a.vocabulary - b.vocabulary
    only_b = b.vocabulary - a.vocabulary
    if _identifiers(a.text, only_a) or _identifiers(b.text, only_b):
        return True
    if not only_a or not only_b:
        return False
    if _code(a.text, only_a) and _code(b.text, only_b):
        return True
    names_a = _names(a.text, only_a)
    if not names_a:
        return False
    names_b = _names(b.text, only_b)
    if not names_b:
        return False
    return _unmatched(names_a, only_b, b) and _unmatched(names_b, only_a, a)


def _identifiers(text: str, only: frozenset[str]) -> bool:
    """Say whether a text has an identifier with a part that the other question lacks."""
    if not only or not any(map(text.__contains__, _MARKS)):
        return False
    return any(
        part in only
        for chunk in text.casefold().split()
        if _IDENTIFIER.search(chunk) is not None
        for part in _WRITTEN.findall(chunk)
    )


def _code(text: str, only: frozenset[str]) -> bool:
    """Say whether a text has a name in a program with a part that the other question lacks."""
    return any(
        part in only for word in _CODE.findall(text) for part in _WRITTEN.findall(word.casefold())
    )


def _names(text: str, wanted: frozenset[str]) -> list[str]:
    """Return the capitalised words among `wanted`, unless capitals mean nothing in this text."""
    capitals = _CAPITAL.findall(text)
    if len(capitals) <= 1:
        return []
    names = {word.casefold() for word in capitals} & wanted - _NO_NAMES
    if not names:
        return []
    small = sum(map(str.islower, text.split()))
    if len(capitals) > 2 * small + 1:
        return []
    names -= {word.casefold() for word in _SENTENCE.findall(text)}
    return sorted(names)[:_MOST]


def _unmatched(names: list[str], words: frozenset[str], other: Question) -> bool:
    return any(not _matched(name, words, other) for name in names)


def _matched(name: str, words: frozenset[str], other: Question) -> bool:
    known = ALIASES.get(name)
    if known is not None and not known.isdisjoint(other.vocabulary):
        return True
    stem = singular(name)
    return any(alike(stem, singular(word)) for word in words) or _spelled_out(name, other)


def _spelled_out(name: str, other: Question) -> bool:
    """Say whether the other has the name as initials, in two words, or as the half of a word."""
    initials = "".join(word[0] for word in other.words)
    if 2 <= len(name) <= 6 and name in initials:
        return True
    if len(name) > 3 and any(
        first + second == name for first, second in zip(other.words, other.words[1:], strict=False)
    ):
        return True
    return len(name) > 1 and any(
        len(word) > 3 and (word.startswith(name) or word.endswith(name))
        for word in other.vocabulary
    )
