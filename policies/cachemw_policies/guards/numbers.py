"""Objects where the questions have different numbers, or the same number of something else.

Own design. `1,000`, `1000`, `1k` and `one thousand` are one number; `5 km` and `5 miles` are not.
Years and days of the month are left to the guard of dates.
"""

from __future__ import annotations

import re

from cachemw_policies.guards.base import Question
from cachemw_policies.guards.dates import times
from cachemw_policies.guards.number_words import (
    CURRENCIES,
    LOOSE,
    MAGNITUDES,
    OPERATORS,
    SMALL,
    UNITS,
)

_NUMBER = re.compile(r"(-?)(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?([^\W\d_]*)([+#]*)", re.ASCII)
_EXACT = 15  # digits that a float holds
_MARKS = frozenset((*SMALL, *MAGNITUDES, *OPERATORS))

Numbers = dict[str, str]
"""Every number with its unit, "" without one."""


def differ(a: Question, b: Question) -> bool:
    """Say whether one has a number, or a unit of a number, that the other has not."""
    if a.vocabulary == b.vocabulary:
        return False
    if not _any(a) and not _any(b):
        return False
    numbers_a, loose_a = numbers(a)
    numbers_b, loose_b = numbers(b)
    if _operators(a) != _operators(b) and numbers_a and numbers_b:
        return True
    if (numbers_a.keys() - numbers_b.keys() - loose_b) or (
        numbers_b.keys() - numbers_a.keys() - loose_a
    ):
        return True
    return any(
        unit and numbers_b.get(value) and unit != numbers_b[value]
        for value, unit in numbers_a.items()
    )


def numbers(question: Question) -> tuple[Numbers, set[str]]:
    """Return the numbers with their units, and apart what may be meant as a number or not."""
    words = question.words
    _, dated = times(question)
    found: Numbers = {}
    loose: set[str] = set()
    place = 0
    while place < len(words):
        if place in dated:
            loose.add(words[place])
            place += 1
            continue
        value, unit, after = _number_at(words, place)
        if not value:
            place += 1
            continue
        if not unit and place and words[place - 1] in CURRENCIES:
            unit = CURRENCIES[words[place - 1]]
        if after == place + 1 and words[place] in LOOSE and not unit:
            loose.add(value)
        else:
            found[value] = unit
        place = after
    return found, loose


def _any(question: Question) -> bool:
    return not question.vocabulary.isdisjoint(_MARKS) or any(map(_has_digit, question.vocabulary))


def _has_digit(word: str) -> bool:
    return word[0].isdigit() or word[0] == "-"


def _operators(question: Question) -> frozenset[str]:
    return question.vocabulary & OPERATORS


def _number_at(words: tuple[str, ...], place: int) -> tuple[str, str, int]:
    """Return the number that starts at a place, its unit, and where it ends; "" for none."""
    word = words[place]
    if _has_digit(word):
        value, suffix = _from_digits(word)
    elif word in SMALL or (word in MAGNITUDES and place and words[place - 1] in {"a", "one"}):
        value, suffix = float(SMALL.get(word, 1)), ""
    else:
        return "", "", place + 1
    if value is None:
        return word, "", place + 1
    place += word not in MAGNITUDES
    total = 0.0
    if suffix in MAGNITUDES:
        value, suffix = value * MAGNITUDES[suffix], ""
    while not suffix and place < len(words):
        following = words[place]
        if following in MAGNITUDES:
            value *= MAGNITUDES[following]
        elif following in SMALL and 20 <= value < 100 and value % 10 == 0 and SMALL[following] < 10:
            value += SMALL[following]
        elif following in SMALL and value >= 100 and SMALL[following] < value:
            total, value = total + value, float(SMALL[following])
        else:
            break
        place += 1
    value += total
    unit = UNITS.get(suffix, suffix)
    if not suffix and place < len(words):
        unit = UNITS.get(words[place], "")
        if words[place] in {"degrees", "degree", "°"}:
            unit = UNITS.get(words[place + 1], "") if place + 1 < len(words) else ""
    return f"{value:.15g}", unit, place


def _from_digits(word: str) -> tuple[float | None, str]:
    """Return value and suffix of a word that starts with a digit; None where it is no one number."""
    match = _NUMBER.fullmatch(word)
    if match is None or len(match[2]) > _EXACT:
        return None, ""
    sign, whole, fraction, suffix, _ = match.groups()
    if suffix in {"st", "nd", "rd", "th", "s"}:
        suffix = "th" if suffix != "s" else ""
    return float(f"{sign}{whole.replace(',', '')}{fraction or ''}"), suffix
