"""Sums, differences and products of small numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadtests.lab.topics.base import Exchange, Topic

if TYPE_CHECKING:
    import random

    from loadtests.lab.tasks.base import Split

_LARGEST = 20
_SIGNS: dict[str, tuple[str, ...]] = {
    "+": ("+", "+", "plus"),
    "-": ("-", "-", "minus"),
    "*": ("*", "x", "times"),
}
_PHRASINGS: dict[Split, tuple[str, ...]] = {
    "train": (
        "What is {sum}?",
        "{sum}",
        "{sum}?",
        "{sum} =",
        "What does {sum} make?",
        "Calculate {sum}.",
        "How much is {sum}?",
        "{sum} is what?",
        "Can you compute {sum}?",
    ),
    "held_out": (
        "What do you get for {sum}?",
        "Work out {sum}.",
        "Tell me what {sum} is.",
        "Solve {sum}.",
    ),
}


@dataclass(frozen=True)
class Arithmetic(Topic):
    """Two numbers up to 20; differences are never negative."""

    def draw(self, split: Split, rng: random.Random) -> list[Exchange]:
        """One sum."""
        first, second = rng.randint(0, _LARGEST), rng.randint(0, _LARGEST)
        sign = rng.choice(tuple(_SIGNS))
        if sign == "-":
            first, second = max(first, second), min(first, second)
        result = {"+": first + second, "-": first - second, "*": first * second}[sign]
        spoken = rng.choice(_SIGNS[sign])
        tight = spoken == sign and rng.random() < 0.4
        space = "" if tight else " "
        question = rng.choice(_PHRASINGS[split]).format(
            sum=f"{first}{space}{spoken}{space}{second}"
        )
        return [
            Exchange(
                "arithmetic",
                question,
                f"{first} {sign} {second} = {result}.",
                f" {result}.",
                short=f"{result}.",
            )
        ]
