"""Names and values that no text contains: what a model can only know from the context it read.

Names are put together from parts; a checksum of the whole name decides which split it belongs to,
so that no held-out name was ever trained on, while its parts were.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from loadtests.lab.tasks.base import Split

SubjectKind = Literal["person", "place", "thing"]
ValueKind = Literal["digits", "number", "mark", "word", "name"]

_HELD_OUT_ONE_IN = 6


def _list(text: str, between: str | None = None) -> tuple[str, ...]:
    return tuple(text.split(between))


_FIRST = _list(
    "Ada Agnes Albert Alice Amos Arthur Beatrice Bertha Caleb Cecil Clara Daniel Dora Edgar "
    "Edith Edwin Eliza Ernest Esther Felix Flora Frances Gilbert Grace Harold Helen Hugh Ida "
    "Isaac Ivy Jane Jasper Joan Julia Lewis Lucy Mabel Martha Miles Nora Oscar Phoebe Ralph "
    "Rose Ruth Silas Stella Thomas Ursula Vera Victor Walter Winifred"
)
_TITLES = ("Mr.", "Mrs.", "Miss", "Dr.", "Captain", "Colonel", "Professor", "Lady")
_STEMS = _list(
    "Al Amber Ash Bar Beck Ben Black Brad Bram Bur Cal Carl Chad Clay Col Cor Crom Dal Den Dor "
    "Dun Ed El Fair Fen Fern Gar Glen Gran Had Hal Har Haw Hazel Hol Kel Ken Kings Lang Lin Lud "
    "Mal Mar Mel Mer Mil Nor Oak Or Pem Pen Quil Rad Raven Red Rook Sel Sher Stan Sut Tol Tren "
    "Ul Wal War Wes Whit Win Wood Wyn Yar"
)
_ENDINGS = _list(
    "beck berry bourne bridge bury by cliffe combe cote dale den fell field ford gate ham hurst "
    "ley liver lock low mere minster mond more rick ridge row sett shaw stead ston thorpe ton "
    "vale wick win worth"
)
_SITES = _list(
    "Station House Hall Farm Mill Lodge Abbey Bridge Court Gate Hill Inn Tower Street Island "
    "Cottage"
)
_OBJECTS = _list(
    "the ship|the barge|the schooner|the steamer|the engine|the mine|the bank|"
    "the regiment|the school|the shop of|the firm of|the village of|the garden at|"
    "the cellar at|the safe at",
    "|",
)
WORDS = _list(
    "acorn amber anchor apple arrow autumn badger basket beacon bell birch bishop blossom "
    "bottle branch brick bronze bucket butter button candle canvas carpet castle cedar chain "
    "chalk cherry chestnut circle clover coal comet compass copper coral cotton cradle crimson "
    "crown crystal cushion daisy diamond dragon drum eagle ebony elm ember falcon feather fern "
    "ferry fiddle flannel flint forest fountain fox garnet ginger glove goose granite grape "
    "hammer harbour hazel heather hedge heron holly honey horn indigo iron ivory ivy jasmine "
    "jewel juniper kettle kite ladder lantern laurel lemon lily linen lion lobster magnet "
    "mantle maple marble meadow mirror moon mustard needle nettle nightingale oak olive orange "
    "orchard otter oyster paper parrot pearl pepper pigeon pillar plum poppy purple quarry "
    "rabbit raven ribbon river robin rope rose ruby saddle saffron salmon scarlet shadow shell "
    "silver snow sparrow spider star stone summer sunflower swallow sword thistle thunder tiger "
    "timber trumpet tulip turtle valley velvet violet violin walnut water whistle willow winter "
    "wolf yellow"
)


def split_of(name: str) -> Split:
    """Which split a name or word belongs to, for ever and in every process."""
    return "held_out" if zlib.crc32(name.encode()) % _HELD_OUT_ONE_IN == 0 else "train"


def surname(split: Split, rng: random.Random) -> str:
    """Draw a made-up surname or place name of `split`."""
    return _drawn(split, lambda: rng.choice(_STEMS) + rng.choice(_ENDINGS))


def person(split: Split, rng: random.Random) -> str:
    """Draw a person: a title or a first name, and a surname of `split`."""
    before = rng.choice(_TITLES) if rng.random() < 0.5 else rng.choice(_FIRST)
    return f"{before} {surname(split, rng)}"


def subject(kind: SubjectKind, split: Split, rng: random.Random) -> str:
    """Draw whom or what a fact is about; only its proper name is of `split`."""
    if kind == "person":
        return person(split, rng)
    name = surname(split, rng)
    if kind == "place":
        return f"{name} {rng.choice(_SITES)}"
    return f"{rng.choice(_OBJECTS)} {name}"


def value(kind: ValueKind, split: Split, rng: random.Random) -> str:
    """Draw what has to be recalled exactly; digits are any, words and names are of `split`."""
    if kind == "digits":
        return " ".join(str(rng.randrange(10)) for _ in range(rng.randint(3, 6)))
    if kind == "number":
        return str(rng.randrange(10 ** rng.randint(1, 4), 10**5))
    if kind == "mark":
        letters = "".join(rng.choices("ABCDEFGHJKLMNPRSTUVWXYZ", k=2))
        return f"{letters}-{rng.randrange(100, 10_000)}"
    if kind == "word":
        return _drawn(split, lambda: rng.choice(WORDS))
    return person(split, rng)


def _drawn(split: Split, draw: Callable[[], str]) -> str:
    while True:
        name = draw()
        if split_of(name) == split:
            return name
