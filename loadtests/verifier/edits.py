"""Small edits of real questions: some change the answer, some do not.

What the question pairs teach little of: one number, one name or one word that turns the question
round, and the same question asked in another manner.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from random import Random

# `I` counts as a name too: a few edits are nonsense, which has another answer all the same.
_NAME = r"(?<=[a-z,] )[A-Z][A-Za-z0-9+#]*(?: [A-Z][A-Za-z0-9+#]*)*"
_DIRECTED = (
    r"\b(?:to|into|than|from|over|before|after|by|against|of|in|on|for|attack|invade|beat|defeat|"
    r"support|hate|love|like|kill|join|leave|help|affect|replace|use|follow|include|buy)s?\b"
)

Edit = Callable[[str, Random], str | None]
"""Returns the edited text, None where there is nothing to edit."""

_OPPOSITES = (
    "on/off enable/disable increase/decrease ascending/descending buy/sell open/close start/stop "
    "before/after best/worst good/bad add/remove install/uninstall import/export encode/decode "
    "encrypt/decrypt upload/download maximum/minimum highest/lowest largest/smallest more/less "
    "advantages/disadvantages pros/cons male/female man/woman boy/girl husband/wife mother/father "
    "left/right up/down hot/cold push/pull first/last win/lose lend/borrow gain/lose "
    "possible/impossible legal/illegal safe/dangerous public/private internal/external "
    "with/without include/exclude accept/reject allow/block lock/unlock hide/show north/south "
    "east/west front/back old/new young/old fast/slow cheap/expensive morning/evening "
    "summer/winter day/night input/output client/server send/receive arrive/depart "
    "rise/fall grow/shrink love/hate healthy/unhealthy married/single import/export "
    "Linux/Windows Android/iPhone Java/Python Java/JavaScript PHP/Python cats/dogs Mac/Windows "
    "vertical/horizontal rows/columns deposit/withdraw debit/credit profit/loss"
)
_NUMBERS = (
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "twenty",
    "thirty", "fifty", "hundred",
)  # fmt: skip
_VALUES = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 20, 30, 50, 100)
_UNITS = (
    ("km", "miles"), ("kilometers", "miles"), ("kg", "pounds"), ("kgs", "lbs"), ("cm", "inches"),
    ("meters", "feet"), ("minutes", "hours"), ("hours", "days"), ("days", "weeks"),
    ("weeks", "months"), ("months", "years"), ("dollars", "euros"), ("GB", "MB"), ("TB", "GB"),
    ("celsius", "fahrenheit"), ("liters", "gallons"), ("rupees", "dollars"), ("million", "billion"),
)  # fmt: skip
_MANNERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"^how (?:do|can|should|could|would|might) (?:i|you|we|one) ", (
        "How do I ", "How can I ", "What is the best way to ", "how to ", "What's the way to ",
        "Can you tell me how to ", "I want to ", "what should i do to ", "How would I go about ",
        "Please explain how to ", "Is there a way to ", "Steps to ",
    )),
    (r"^what (?:is|are) the (?:best|easiest) ways? to ", (
        "How do I ", "How can I ", "how to ", "What's the best way to ", "best way to ",
    )),
    (r"^what (?:is|'s) ", (
        "What is ", "what's ", "Can you tell me what is ", "I'd like to know what is ", "whats ",
        "Tell me: what is ", "Explain ",
    )),
    (r"^what are ", ("What are ", "what're ", "Which are ", "Please list ", "Tell me ")),
    (r"^why (?:do|does|is|are|did|was|were) ", ()),
    (r"^(?:where|when|who|which) ", ()),
)  # fmt: skip
_OPENINGS = (
    "Hi, ", "Hello! ", "Quick question: ", "Please help: ", "Could you please tell me: ", "hey ",
    "Good morning. ", "I was wondering, ", "Question - ", "Sorry to bother you, but ",
)  # fmt: skip
_CLOSINGS = (" Thanks!", " Please help.", " Thank you.", " please", " thx", " Any help is welcome.")
_NOT = (
    (" is ", " is not "), (" are ", " are not "), (" can ", " cannot "), (" does ", " doesn't "),
    (" do ", " don't "), (" should ", " should not "), (" will ", " will not "),
    (" did ", " didn't "), (" was ", " was not "), (" would ", " would not "),
)  # fmt: skip


def _opposites() -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for pair in _OPPOSITES.split():
        one, other = pair.split("/")
        found.setdefault(one.lower(), []).append(other)
        found.setdefault(other.lower(), []).append(one)
    return found


_OPPOSITE = _opposites()


def other_number(text: str, rng: Random) -> str | None:
    """Change one number, in digits or as a word."""
    places = list(re.finditer(r"\d+", text))
    if places:
        place = rng.choice(places)
        value = int(place[0][:12])
        step = rng.choice((1, -1, 2, 10, 5, -2, value, 100))
        changed = str(value + step) if value + step >= 0 else str(value + 3)
        return (
            None if changed == place[0] else text[: place.start()] + changed + text[place.end() :]
        )
    words = [word for word in _NUMBERS if re.search(rf"\b{word}\b", text)]
    if not words:
        return None
    word = rng.choice(words)
    return re.sub(rf"\b{word}\b", rng.choice([w for w in _NUMBERS if w != word]), text, count=1)


def other_unit(text: str, rng: Random) -> str | None:
    """Change a unit."""
    found = [
        (one, other)
        for pair in _UNITS
        for one, other in (pair, pair[::-1])
        if re.search(rf"\b{one}\b", text)
    ]
    if not found:
        return None
    one, other = rng.choice(found)
    return re.sub(rf"\b{one}\b", other, text, count=1)


def opposite(text: str, rng: Random) -> str | None:
    """Put a word's opposite in its place."""
    places = [m for m in re.finditer(r"[A-Za-z]+", text) if m[0].lower() in _OPPOSITE]
    if not places:
        return None
    place = rng.choice(places)
    other = rng.choice(_OPPOSITE[place[0].lower()])
    other = other if place[0].islower() or not place[0][0].isupper() else other.capitalize()
    return text[: place.start()] + other + text[place.end() :]


def negated(text: str, rng: Random) -> str | None:
    """Say the contrary, or take it back."""
    back = [(f" {b.strip()} ", f" {a.strip()} ") for a, b in _NOT]
    found = [(one, other) for one, other in (*_NOT, *back) if one in text]
    if not found:
        return None
    # `is not` holds `is`: a negation that is there is taken out, none is doubled.
    strong = [each for each in found if "n't" in each[0] or "not" in each[0]]
    one, other = rng.choice(strong or found)
    return text.replace(one, other, 1)


def swapped(text: str, rng: Random) -> str | None:
    """Let two names change places on either side of a word that gives them a direction."""
    places = list(re.finditer(_NAME, text))
    chances = [
        (one, other)
        for one, other in pairwise(places)
        if one[0].lower() != other[0].lower()
        and len(between := text[one.end() : other.start()]) < 40
        and re.search(_DIRECTED, between)
        and not re.search(r"\b(?:and|or|vs)\b|[?.!]", between)
    ]
    if not chances:
        return None
    one, other = rng.choice(chances)
    return (
        text[: one.start()] + other[0] + text[one.end() : other.start()] + one[0]
        + text[other.end() :]
    )  # fmt: skip


def names(text: str) -> list[str]:
    """Return the names in a text: runs of capitalised words that do not begin it."""
    return re.findall(_NAME, text)


def other_name(text: str, rng: Random, pool: Sequence[str]) -> str | None:
    """Put another name in the place of one."""
    found = names(text)
    if not found or text.isupper() or text.istitle():
        return None
    name, other = rng.choice(found), rng.choice(pool)
    return None if name.lower() == other.lower() else text.replace(name, other, 1)


def other_manner(text: str, rng: Random) -> str | None:
    """Ask the same in another manner."""
    changed = text
    for pattern, manners in _MANNERS:
        if manners and re.match(pattern, text, re.IGNORECASE) and rng.random() < 0.7:
            changed = re.sub(pattern, rng.choice(manners), text, count=1, flags=re.IGNORECASE)
            break
    if rng.random() < 0.3:
        changed = rng.choice(_OPENINGS) + changed[:1].lower() + changed[1:]
    if rng.random() < 0.2:
        changed += rng.choice(_CLOSINGS)
    if rng.random() < 0.4:
        changed = changed.rstrip("?. ")
    if rng.random() < 0.3:
        changed = changed.lower()
    if rng.random() < 0.25:
        changed = _mistyped(changed, rng)
    if rng.random() < 0.5:
        changed = _numbers_rewritten(changed)
    return None if changed == text else changed


def _numbers_rewritten(text: str) -> str:
    """Write small numbers the other way: 5 as five, five as 5."""
    for word, value in zip(_NUMBERS, _VALUES, strict=True):
        if re.search(rf"\b{word}\b", text):
            return re.sub(rf"\b{word}\b", str(value), text)
        if re.search(rf"(?<![\d.,]){value}(?![\d.,%])\b", text):
            return re.sub(rf"(?<![\d.,]){value}(?![\d.,%])\b", word, text)
    return text


def _mistyped(text: str, rng: Random) -> str:
    """Swap or drop a letter inside a longer word."""
    places = list(re.finditer(r"[a-z]{6,}", text))
    if not places:
        return text
    place = rng.choice(places)
    at = rng.randrange(place.start() + 1, place.end() - 2)
    if rng.random() < 0.5:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + text[at + 1 :]


CHANGING: Mapping[str, Edit] = {
    "number": other_number,
    "unit": other_unit,
    "opposite": opposite,
    "negation": negated,
    "roles": swapped,
}
"""Edits after which another answer is right."""
