"""Streams of lookups."""

from __future__ import annotations

import numpy as np
import pytest

from loadtests.guarantee.data import Judged
from loadtests.guarantee.streams import NOTHING_NEAR, STREAMS, stream

PAIRS = Judged(
    scores=np.linspace(0, 1, 400),
    cosines=np.linspace(0.5, 1, 400),
    same=np.arange(400) % 2 == 0,
    entries=np.concatenate([np.repeat(np.arange(20), 10), np.arange(20, 220)]),
    words=np.arange(400) % 17,
)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.mark.parametrize("name", list(STREAMS))
def test_a_stream_is_as_long_as_asked_and_the_same_again(name: str) -> None:
    one, other = (stream(STREAMS[name], PAIRS, 501, rng()) for _ in range(2))
    assert len(one) == 501
    np.testing.assert_array_equal(one.scores, other.scores)
    assert abs(np.mean(~one.near) - NOTHING_NEAR) < 0.07


def test_what_has_no_candidate_has_no_right_answer() -> None:
    found = stream(STREAMS["as it is"], PAIRS, 2000, rng(), noise=0.5)
    assert not found.same[~found.near].any()
    assert not found.heard[~found.near].any()
    assert (found.scores[~found.near] < 0).all()


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("20 % duplicates", 0.2, 0.2),
        ("46 %, then 15 % duplicates", 0.46, 0.15),
        ("short, then long questions", 0.46, 0.30),
    ],
)
def test_base_rates_are_as_named(name: str, first: float, second: float) -> None:
    found = stream(STREAMS[name], PAIRS, 8000, rng())
    for half, rate in ((slice(None, 4000), first), (slice(4000, None), second)):
        assert abs(found.same[half][found.near[half]].mean() - rate) < 0.03


def test_the_second_half_has_harder_others() -> None:
    found = stream(STREAMS["then harder others"], PAIRS, 4000, rng())
    other = found.near & ~found.same
    easiest = [found.cosines[half][other[half]].min() for half in (slice(2000), slice(2000, None))]
    assert easiest[0] < 0.6
    assert easiest[1] > 0.8


def test_repeated_entries_are_of_large_clusters_and_some_are_asked_more_often() -> None:
    found = stream(STREAMS["repeated entries"], PAIRS, 4000, rng())
    entries, counts = np.unique(found.entries, return_counts=True)
    assert entries.max() < 20
    assert counts.max() > 2 * np.median(counts)


def test_noise_flips_a_share_of_the_labels() -> None:
    found = stream(STREAMS["as it is"], PAIRS, 8000, rng(), noise=0.1)
    flipped = (found.heard != found.same)[found.near]
    assert abs(flipped.mean() - 0.1) < 0.02
    clean = stream(STREAMS["as it is"], PAIRS, 8000, rng())
    np.testing.assert_array_equal(clean.heard, clean.same)
