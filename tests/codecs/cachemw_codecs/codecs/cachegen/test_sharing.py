from __future__ import annotations

import numpy as np
from cachemw_codecs.codecs.cachegen.sharing import (
    FEW_TABLES,
    MOST_TABLES,
    Counts,
    alike,
    as_room_allows,
    per_channel,
    per_layer,
)
from hypothesis import given
from hypothesis import strategies as st


def counts_of(widths: list[float], layers: int = 2) -> Counts:
    """Return counts [layers, channels, 256] of bells of these widths around symbol 127."""
    places = np.arange(256) - 127
    bells = np.exp(-0.5 * (places / np.array(widths)[:, None]) ** 2)
    return np.tile(np.rint(bells * 1000).astype(np.int64), (layers, 1, 1))


def test_each_channel_its_own() -> None:
    assert per_channel(counts_of([1, 2, 3, 4])).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_one_of_keys_and_one_of_values_a_layer() -> None:
    assert per_layer(counts_of([1, 2, 3, 4])).tolist() == [[0, 0, 1, 1], [2, 2, 3, 3]]


def test_channels_that_are_alike_share_a_class() -> None:
    classes = alike(2)(counts_of([1, 30, 1.05, 31]))
    assert (classes == classes[0]).all()
    assert classes[0, 0] == classes[0, 2] != classes[0, 1] == classes[0, 3]


def test_channels_of_one_entropy_and_two_means_are_not_alike() -> None:
    counts = counts_of([3, 3, 3, 3.1])
    counts[:, 1::2] = np.roll(counts[:, 1::2], 60, axis=2)
    classes = alike(2)(counts)
    assert classes[0, 0] == classes[0, 2] != classes[0, 1] == classes[0, 3]


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_classes_are_at_most_as_many_and_without_gaps(most: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    counts = random.poisson(0.3, (2, 4, 256)).astype(np.int64)
    classes = alike(most)(counts)
    assert classes.shape == (2, 4)
    assert classes.dtype == np.int32
    assert np.unique(classes).tolist() == list(range(classes.max() + 1))
    assert classes.max() < most


def test_channels_without_a_sample_have_a_class_too() -> None:
    counts = counts_of([1, 2])
    counts[0, 0] = 0
    assert alike(8)(counts).min() == 0


def test_a_model_of_many_channels_has_few_tables() -> None:
    few = counts_of([1, 2, 3, 4])
    assert (as_room_allows(few) == per_channel(few)).all()
    many = counts_of([1 + n / 100 for n in range(MOST_TABLES // 2 + 2)])
    assert as_room_allows(many).max() < FEW_TABLES
