"""Objects where the questions have different numbers, or the same number of something else.

Own design. `1,000`, `1000`, `1k` and `one thousand` are one number; `5 km` and `5 miles` are not.
Years and days of the month are left to the guard of dates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cachemw_policies.guards.base import Question
from cachemw_policies.guards.dates import times
from cachemw_policies.guards.number_words import (
    CURRENCIES,
    LETTERS,
    LOOSE,
    MAGNITUDES,
    OPERATORS,
    ORDINALS,
    SMALL,
    UNITS,
)
from cachemw_policies.guards.wordlist import listed

_NUMBER = re.compile(r"(-?)(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?([^\W\d_]*)", re.ASCII)
_GLUED = re.compile(r"(rs|inr|usd|eur|gbp)(\d[\d,.]*)", re.ASCII)
_EXACT = 15  # digits that a float holds
_MARKS = frozenset((*SMALL, *ORDINALS, *MAGNITUDES, *OPERATORS))
# `10 best films`: how long a list one asks for.
_LISTED = listed(
    "best greatest most favorite favourite good great amazing interesting main major important "
    "ways things tips facts reasons examples worst top key popular famous"
)
_DEGREES = frozenset(("degree", "degrees", "°"))


@dataclass(slots=True)
class Numbers:
    """Numbers with their units, "" without one.

    `firm` ones are part of the question. `soft` ones may be left out (`top 5`, `the two sides`),
    but not replaced. `loose` ones are perhaps none (`one`): they match numbers, nothing more.
    """

    firm: dict[str, str] = field(default_factory=dict)
    soft: dict[str, str] = field(default_factory=dict)
    loose: set[str] = field(default_factory=set)


def differ(a: Question, b: Question) -> bool:
    """Say whether one has a number, or a unit of a number, that the other has not."""
    if a.vocabulary == b.vocabulary or not (_any(a) or _any(b)):
        return False
    numbers_a, numbers_b = numbers(a), numbers(b)
    if _lacks(numbers_a, numbers_b) or _lacks(numbers_b, numbers_a):
        return True
    if _other_unit({**numbers_a.soft, **numbers_a.firm}, {**numbers_b.soft, **numbers_b.firm}):
        return True
    if not (numbers_a.firm and numbers_b.firm):
        return False
    return a.vocabulary & OPERATORS != b.vocabulary & OPERATORS


def numbers(question: Question) -> Numbers:
    """Return the numbers of a question."""
    words = question.words
    _, dated = times(question)
    found = Numbers()
    place = 0
    while place < len(words):
        word = words[place]
        if place in dated:
            found.loose.add(word)
            place += 1
            continue
        if word in ORDINALS:
            value = ORDINALS[word]
            if value in {"1", "2"}:  # `at first`, `a second`
                found.loose.add(value)
            else:
                found.soft[value] = ""
            place += 1
            continue
        value, unit, after = _number_at(words, place)
        if value:
            before = words[place - 1] if place else ""
            unit = unit or CURRENCIES.get(before, "")
            following = words[after] if after < len(words) else ""
            near = (before, following)
            _sort(found, word, near, (value, unit), single=after == place + 1)
        place = after
    return found


def _sort(
    found: Numbers, word: str, near: tuple[str, str], number: tuple[str, str], *, single: bool
) -> None:
    value, unit = number
    before, after = near
    if single and not unit and word in LOOSE:
        found.loose.add(value)
    elif single and (word in SMALL or value == "1" or before == "top" or after in _LISTED):
        found.soft[value] = unit
    else:
        found.firm[value] = unit


def _lacks(a: Numbers, b: Numbers) -> bool:
    """Say whether b lacks a number of a."""
    known = b.firm.keys() | b.soft.keys() | b.loose
    if a.firm.keys() - known:
        return True
    return bool(known - b.loose) and bool(a.soft.keys() - known)


def _other_unit(a: dict[str, str], b: dict[str, str]) -> bool:
    return any(unit and b.get(value) and unit != b[value] for value, unit in a.items())


def _any(question: Question) -> bool:
    return not question.vocabulary.isdisjoint(_MARKS) or any(map(_has_digit, question.vocabulary))


def _has_digit(word: str) -> bool:
    """Say whether a word is in digits, also behind a sign or a currency."""
    if word[0] in "0123456789":
        return True
    return (word[0] == "-" and len(word) > 1) or (
        word[-1].isdigit() and _GLUED.fullmatch(word) is not None
    )


def _number_at(words: tuple[str, ...], place: int) -> tuple[str, str, int]:
    """Return the number that starts at a place, its unit, and where it ends; "" for none."""
    word = words[place]
    suffix = ""
    value: float | None
    if word in SMALL:
        value = float(SMALL[word])
    elif word in MAGNITUDES and place and words[place - 1] == "a":
        value, place = 1.0, place - 1
    elif _has_digit(word):
        value, suffix = _from_digits(word)
        if value is None:
            return word, "", place + 1
    else:
        return "", "", place + 1
    place += 1
    if suffix in MAGNITUDES:
        value, suffix = value * MAGNITUDES[suffix], ""
    if suffix:
        return f"{value:.15g}", UNITS.get(suffix, ""), place
    value, place = _continued(words, place, value)
    return f"{value:.15g}", _unit_at(words, place), place


def _continued(words: tuple[str, ...], place: int, value: float) -> tuple[float, int]:
    """Go on reading words of a number: `twenty five`, `3 million`, `two hundred ten`."""
    total = 0.0
    while place < len(words):
        word = words[place]
        if word in MAGNITUDES:
            value *= MAGNITUDES[word]
        elif word in SMALL and value % 100 == 0 and value >= 100:
            total, value = total + value, float(SMALL[word])
        elif word in SMALL and 20 <= value < 100 and value % 10 == 0 and 0 < SMALL[word] < 10:
            value += SMALL[word]
        else:
            break
        place += 1
    return total + value, place


def _unit_at(words: tuple[str, ...], place: int) -> str:
    if place >= len(words):
        return ""
    if words[place] in _DEGREES:
        return UNITS.get(words[place + 1], "") if place + 1 < len(words) else ""
    return "" if words[place] in LETTERS else UNITS.get(words[place], "")


def _from_digits(word: str) -> tuple[float | None, str]:
    """Return value and suffix of a word that starts with a digit; None if it is no one number."""
    glued = _GLUED.fullmatch(word)
    currency = ""
    if glued is not None:
        currency, word = glued.groups()
    match = _NUMBER.fullmatch(word)
    if match is None or len(match[2]) > _EXACT:
        return None, ""
    sign, whole, fraction, suffix = match.groups()
    if suffix in {"st", "nd", "rd", "th"}:
        suffix = ""
    value = float(f"{sign}{whole.replace(',', '')}{fraction or ''}")
    return value, suffix or currency
