from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from loadtests.guards.__main__ import conditions, half
from loadtests.questions import Pair

PAIRS = [
    Pair("Is 5 much?", "Is 6 much?", same=False),
    Pair("Is 5 much?", "Is five much?", same=True),
    Pair("Who won in 2016?", "Who won in 2017?", same=True),
]


def test_near_pairs_are_told_apart() -> None:
    near, every = half(PAIRS, np.array([0.9, 0.9, 0.1]), "Held out", held_out=True)

    assert near.about.startswith("1 duplicates, 1 others.")
    assert every.about.startswith("2 duplicates, 1 others.")
    assert near.bars[0].met
    assert not every.bars


def test_a_miss_is_said() -> None:
    near, _ = half(PAIRS, np.array([0.9, 0.9, 0.9]), "Held out", held_out=True)

    assert not near.bars[0].met
    assert near.bars[0].measured == "50.00 %"


def test_the_command_is_named_as_given() -> None:
    options = argparse.Namespace(date="2026-01-01", limit=7, out=Path(), cache_dir=None)

    assert "`python -m loadtests.guards --limit 7`" in conditions(options, "an embedder")
