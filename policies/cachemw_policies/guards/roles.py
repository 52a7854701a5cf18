"""Objects where two things trade places: `A to B` and `B to A`, `A beats B` and `B beats A`.

Own design. Two signs: the neighbours of a word of direction are swapped; or all words with content
are the same and the first of those that moved stands where the last stood, with one between them
that did not move. Symmetric words (`and`, `or`, `vs`, `between`) stand for no direction.
"""

from __future__ import annotations

from cachemw_policies.guards.base import Question
from cachemw_policies.guards.inflection import singular
from cachemw_policies.guards.number_words import UNITS
from cachemw_policies.guards.wordlist import listed

_DIRECTIONS = listed(
    "to into than over from for of in by with on as before after without under above below behind "
    "is are was were has have - / ÷ ^"
)
_SYMMETRIC = listed("and or vs versus v between difference differences")
_FORMS = 4  # words that differ by a plural, where all others are the same
_SILENT = listed("a an the my your our their his her its this that some any one")
_EMPTY = (
    _SILENT
    | _DIRECTIONS
    | listed(
        "do does did what which who why how when where can could should would will i you we they "
        "it there not be been if s me one people more most"
    )
)


def differ(a: Question, b: Question) -> bool:
    """Say whether two things have traded places."""
    shared = a.vocabulary & b.vocabulary
    if len(shared) < 3:
        return False
    if not _DIRECTIONS.isdisjoint(shared):
        pairs_a, pairs_b = _neighbours(a.words), _neighbours(b.words)
        swapped = {(after, word, before) for before, word, after in pairs_b - pairs_a}
        if not (pairs_a - pairs_b).isdisjoint(swapped):
            return True
    if len((a.vocabulary ^ b.vocabulary) - _EMPTY) > _FORMS:
        return False
    if not _SYMMETRIC.isdisjoint(a.vocabulary | b.vocabulary):
        return False
    return _traded(_content(a.words), _content(b.words))


def _neighbours(words: tuple[str, ...]) -> set[tuple[str, str, str]]:
    """Return (before, word, after) for every word of direction."""
    kept = [word for word in words if word not in _SILENT]
    found = set()
    for place in range(1, len(kept) - 1):
        word = kept[place]
        if word in _DIRECTIONS:
            before, after = _plain(kept[place - 1]), _plain(kept[place + 1])
            if before != after:
                found.add((before, word, after))
    return found


def _plain(word: str) -> str:
    """Return a word without plural, units by their shortest name."""
    return UNITS.get(word) or singular(word)


def _content(words: tuple[str, ...]) -> list[str]:
    return [_plain(word) for word in words if word not in _EMPTY]


def _traded(one: list[str], two: list[str]) -> bool:
    """Say whether two orders of the same words differ by two that changed places."""
    if len(one) != len(two) or len(one) < 3 or one == two or sorted(one) != sorted(two):
        return False
    moved = [place for place in range(len(one)) if one[place] != two[place]]
    first, last = moved[0], moved[-1]
    return (
        last - first > 1 and len(moved) == 2 and (one[first], one[last]) == (two[last], two[first])
    )
