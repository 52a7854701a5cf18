"""Objects where one question asks about a place and the other about none: `gold in the UK`.

Own design. Only a place behind `in` or the like limits a question; elsewhere it is a topic, which
is left to the guards of names and of exclusive words.
"""

from __future__ import annotations

from cachemw_policies.guards.aliases import ALIASES
from cachemw_policies.guards.base import Question
from cachemw_policies.guards.exclusive_words import SETS
from cachemw_policies.guards.wordlist import listed

_BEFORE = listed("in near at within around throughout across")
_SILENT = listed("the north south east west northern southern eastern western central rural")
_LANGUAGES = listed(SETS["languages"].replace(",", " "))
_PLACES = (
    listed(" ".join(SETS[name].replace(",", " ") for name in ("countries", "cities", "states")))
    | listed(SETS["continents"].replace(",", " "))
) - _LANGUAGES


def differ(a: Question, b: Question) -> bool:
    """Say whether one is about a place that the other does not name in any way."""
    places_a, places_b = a.vocabulary & _PLACES, b.vocabulary & _PLACES
    if places_a == places_b:
        return False
    return _limited(a, places_a - places_b, b) or _limited(b, places_b - places_a, a)


def _limited(question: Question, places: frozenset[str], other: Question) -> bool:
    unnamed = {place for place in places if ALIASES[place].isdisjoint(other.vocabulary)}
    if not unnamed:
        return False
    behind = ""
    for word in question.words:
        if word in unnamed and behind in _BEFORE:
            return True
        if word not in _SILENT:
            behind = word
    return False
