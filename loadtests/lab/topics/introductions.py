"""Names and favourites told in one turn and asked for in the next: recall within the context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadtests.lab.topics.base import Exchange, Topic, words

if TYPE_CHECKING:
    import random

    from loadtests.lab.tasks.base import Split

_NAMES = words(
    "Anna|Ben|Clara|David|Emma|Frank|Grace|Henry|Ida|Jack|Kate|Leo|Mary|Nora|Oscar|Paul|Rose|Sam|"
    "Tom|Vera|Walter|Alice|Bruno|Carla|Dora|Eric|Fiona|George|Hanna|Ivan|Julia|Karl|Lena|Martin|"
    "Nina|Otto|Peter|Robert|Sophie|Theo|Ursula|Victor|Wendy|Arthur|Bella|Charles|Diana|Edward"
)
_COLOURS = words("red|blue|green|yellow|orange|purple|pink|brown|black|white|gray")
_TOLD: dict[Split, tuple[str, ...]] = {
    "train": ("My name is {x}.", "I am {x}.", "I am called {x}.", "Hello, my name is {x}."),
    "held_out": ("Hi, I am {x}.", "Call me {x}."),
}
_ASKED: dict[Split, tuple[str, ...]] = {
    "train": ("What is my name?", "Who am I?", "Do you know my name?", "Tell me my name."),
    "held_out": ("What am I called?", "Do you remember my name?"),
}
_COLOUR_TOLD: dict[Split, tuple[str, ...]] = {
    "train": ("My favourite color is {x}.", "I like {x} best.", "The color that I like is {x}."),
    "held_out": ("{x} is my favourite color.", "I love the color {x}."),
}
_COLOUR_ASKED: dict[Split, tuple[str, ...]] = {
    "train": (
        "What is my favourite color?",
        "Which color do I like?",
        "What color do I like best?",
    ),
    "held_out": ("Which color is my favourite?", "What is the color that I like?"),
}


@dataclass(frozen=True)
class Introductions(Topic):
    """The user says something of himself, and asks for it."""

    def draw(self, split: Split, rng: random.Random) -> list[Exchange]:
        """Two or three exchanges; the last can only be answered from the first."""
        name, colour = rng.choice(_NAMES), rng.choice(_COLOURS)
        told = _exchange(_TOLD[split], name, f"Nice to meet you, {name}.", name, rng)
        asked = _exchange(_ASKED[split], name, f"Your name is {name}.", name, rng)
        colour_told = _exchange(
            _COLOUR_TOLD[split], colour, f"{colour.capitalize()} is a beautiful color.", colour, rng
        )
        colour_asked = _exchange(
            _COLOUR_ASKED[split], colour, f"Your favourite color is {colour}.", colour, rng
        )
        return rng.choice(
            [
                [told, asked],
                [colour_told, colour_asked],
                [told, colour_told, asked],
                [told, colour_told, colour_asked],
            ]
        )


def _exchange(
    phrasings: tuple[str, ...], value: str, answer: str, key: str, rng: random.Random
) -> Exchange:
    text = rng.choice(phrasings).format(x=value)
    return Exchange("introductions", text[:1].upper() + text[1:], answer, key)
