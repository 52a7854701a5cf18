"""Objects where the questions name different times: years, months, weekdays, dates, `today`.

Own design. A date counts as the set of its day and month, so that `5/6` and `6 May` agree where
nobody can tell which is the day.
"""

from __future__ import annotations

import re

from cachemw_policies.guards.base import Question
from cachemw_policies.guards.wordlist import in_order, listed

Times = set[tuple[str, str]]

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sep sept",
            "october oct",
            "november nov",
            "december dec",
        ),
        1,
    )
    for name in names.split()
}
_AMBIGUOUS = frozenset(("may", "march", "mar", "jan", "sep", "dec", "nov", "oct"))
_BEFORE_MONTH = listed("in of on by until since till during from to next last this")
_DAYS = {
    name: day
    for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    for name in (day, f"{day}s")
}
_RELATIVE = {
    "today": "today",
    "tonight": "today",
    "yesterday": "yesterday",
    "tomorrow": "tomorrow",
    "weekend": "weekend",
    "weekends": "weekend",
}
# Most questions are about today without saying so.
_NOW: Times = {("relative", "today"), ("relative", "this year")}
_WHICH = frozenset(("this", "last", "next", "previous", "past", "current"))
_PERIODS = listed("week month year decade century summer winter quarter semester")
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d", re.ASCII)
_DECADE = re.compile(r"(?:(?:1[5-9]|20)\d|[2-9])0'?s", re.ASCII)
_DAY = re.compile(r"([0-3]?\d)(?:st|nd|rd|th)?", re.ASCII)
_DATE = re.compile(r"(\d{1,4})[/.](\d{1,2})[/.](\d{1,4})", re.ASCII)
_DECADES = {
    name: f"19{number}0"
    for number, name in enumerate(in_order("fifties sixties seventies eighties nineties"), 5)
}
_SPELLED = frozenset((*_MONTHS, *_DAYS, *_RELATIVE, *_WHICH, *_DECADES))


def differ(a: Question, b: Question) -> bool:
    """Say whether the named times differ; where only one names any, that is a difference too."""
    if a.vocabulary == b.vocabulary:
        return False
    times_a, _ = times(a)
    times_b, _ = times(b)
    if times_a == times_b:
        return False
    if times_a and times_b:
        return times_a - _NOW != times_b - _NOW
    return bool((times_a | times_b) - _NOW)


def times(question: Question) -> tuple[Times, frozenset[int]]:
    """Return the named times as (kind, value), and which words (by place) are parts of dates."""
    words = question.words
    found: Times = set()
    used: set[int] = set()
    spelled = not question.vocabulary.isdisjoint(_SPELLED)
    for place, word in enumerate(words):
        if word[0].isdigit():
            _numeric(words, place, found, used)
        elif spelled and word in _SPELLED:
            _by_name(words, place, found, used)
    return found, frozenset(used)


def _numeric(words: tuple[str, ...], place: int, found: Times, used: set[int]) -> None:
    word = words[place]
    if place in used or len(word) > 10:
        return
    if _YEAR.fullmatch(word):
        if _iso(words, place):
            found.add(("day", _day_and_month(words[place + 1], words[place + 2])))
            used.update((place + 1, place + 2))
        found.add(("year", word))
        used.add(place)
    elif _DECADE.fullmatch(word):
        # `the 80s` are of the last century.
        digits = word.rstrip("s").rstrip("'")
        found.add(("decade", f"19{digits}" if len(digits) == 2 else digits))
        used.add(place)
    elif (date := _DATE.fullmatch(word)) is not None:
        first, second, third = date.groups()
        year, day = (first, third) if len(first) == 4 else (third, first)
        if len(day) <= 2 and len(year) in {2, 4}:
            found.add(("day", _day_and_month(day, second)))
            found.add(("year", year if len(year) == 4 else f"20{year}"))
            used.add(place)


def _iso(words: tuple[str, ...], place: int) -> bool:
    return (
        all(
            len(part) == 2 and part.isascii() and part.isdigit() and 1 <= int(part) <= most
            for part, most in zip(words[place + 1 : place + 3], (12, 31), strict=False)
        )
        and len(words) > place + 2
    )


def _day_and_month(first: str, second: str) -> str:
    return "-".join(str(part) for part in sorted((int(first), int(second))))


def _by_name(words: tuple[str, ...], place: int, found: Times, used: set[int]) -> None:
    word = words[place]
    before = words[place - 1] if place else ""
    after = words[place + 1] if place + 1 < len(words) else ""
    if word in _MONTHS:
        _month(words, place, found, used)
    elif word in _DAYS:
        found.add(("weekday", _DAYS[word]))
    elif word in _RELATIVE:
        found.add(("relative", _RELATIVE[word]))
    elif word in _WHICH and after in _PERIODS:
        which = {"past": "last", "previous": "last", "current": "this"}.get(word, word)
        found.add(("relative", f"{which} {after}"))
    elif word in _DECADES and before in {"the", "early", "late", "mid"}:
        found.add(("decade", _DECADES[word]))


def _month(words: tuple[str, ...], place: int, found: Times, used: set[int]) -> None:
    """Read a month's name with the day beside it, if there is one."""
    month = _MONTHS[words[place]]
    candidates = [place + 1, place - 1, place - 2 if words[place - 1 : place] == ("of",) else -1]
    for other in candidates:
        if not 0 <= other < len(words):
            continue
        day = _DAY.fullmatch(words[other])
        if day is not None and 1 <= int(day[1]) <= 31:
            found.add(("day", _day_and_month(day[1], str(month))))
            used.add(other)
            return
    before = words[place - 1] if place else ""
    after = words[place + 1] if place + 1 < len(words) else ""
    if words[place] not in _AMBIGUOUS or before in _BEFORE_MONTH or _YEAR.fullmatch(after):
        found.add(("month", str(month)))
