"""Questions in any number between which no guard sees a difference.

They differ by common words alone: no numbers, names, negations or opposites. The lists share no
word, so that no two words trade places.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import mul

Slots = tuple[tuple[str, ...], ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PARTS: Slots = (
    _words(
        "find change review check print move update copy order track request confirm replace "
        "explain share export"
    ),
    _words(
        "password invoice address booking licence report balance calendar contract membership "
        "receipt subscription profile schedule statement certificate"
    ),
    _words(
        "bank library airline school insurance phone gym office hotel museum clinic theatre "
        "garage bakery university railway"
    ),
    (
        "by post",
        "at the counter",
        "on a tablet",
        "through the website",
        "by letter",
        "at a kiosk",
        "with the app",
        "from abroad",
        "at work",
        "with a friend",
        "during a holiday",
        "in a hurry",
        "through a relative",
        "by email",
        "with a voucher",
        "while travelling",
    ),
)
"""What takes turns in a task, see `task`."""
JOINTS = ("", " the ", " of my ", " account ")
"""What stands before each part."""
_ASIDES: Slots = (
    _words(
        "kindly gladly truly simply merely surely clearly plainly politely warmly neatly "
        "rightly smoothly promptly gently calmly"
    ),
    _words(
        "perhaps maybe possibly probably presumably ideally preferably generally typically "
        "basically normally mostly largely broadly chiefly mainly"
    ),
    _words(
        "somehow somewhere anyway altogether otherwise likewise moreover furthermore besides "
        "indeed overall therefore thus hence instead also"
    ),
)
TASKS = reduce(mul, map(len, PARTS))
"""How many tasks there are."""
ASIDES = reduce(mul, map(len, _ASIDES))
"""How many asides there are."""
STRIDE = 40_503
"""From one task to the next; odd, so that all come up, and large, so that all parts change."""


def task(number: int) -> str:
    """Return `find the invoice of my hotel account by post`; the first TASKS are all different."""
    return "".join(
        joint + part for joint, part in zip(JOINTS, _chosen(PARTS, number * STRIDE), strict=True)
    )


def question(number: int) -> str:
    """Return a question of about 15 tokens; the first TASKS are all different."""
    return f"How do I {task(number)}, please?"


def questions() -> Iterator[str]:
    """Yield TASKS questions; no two are the same."""
    return map(question, range(TASKS))


def aside(number: int) -> str:
    """Return words that change nothing; the first ASIDES are all different."""
    return " ".join(_chosen(_ASIDES, number))


def _chosen(slots: Slots, number: int) -> Iterator[str]:
    for words in slots:
        number, place = divmod(number, len(words))
        yield words[place]
