"""Looking up one of several facts: exact recall for models that nobody taught to answer questions.

A context holds facts of one form, about different names and with different codes, between
passages of running text. Read again up to its code, a fact can be finished by copying; which of
the codes it is only the keys of its name tell.
"""

from __future__ import annotations

import random

from loadtests.lab.entities import subject
from loadtests.lab.tasks.recall import RecallCase

FACTS = 4
CHARACTERS = 800
"""Of running text before each fact: about two hundred tokens."""


def lookup_cases(text: str, count: int, rng: random.Random) -> list[RecallCase]:
    """Draw `count` cases with passages of `text` in their contexts."""
    return [_case(text, rng) for _ in range(count)]


def _case(text: str, rng: random.Random) -> RecallCase:
    names: set[str] = set()
    while len(names) < FACTS:
        names.add(subject(rng.choice(("person", "place")), "held_out", rng))
    facts = [(name, f"{rng.randrange(100_000):05}") for name in sorted(names)]
    rng.shuffle(facts)
    context = " ".join(f"{_passage(text, rng)} {_stated(name)} {code}." for name, code in facts)
    asked, code = rng.choice(facts)
    return RecallCase(context, f" {_stated(asked)}", f" {code}")


def _stated(name: str) -> str:
    return f"The code of {name} is"


def _passage(text: str, rng: random.Random) -> str:
    start = rng.randrange(len(text) - CHARACTERS)
    words = text[start : start + CHARACTERS].split()
    return " ".join(words[1:-1])
