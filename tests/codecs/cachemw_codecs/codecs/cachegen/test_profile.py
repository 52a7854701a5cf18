from __future__ import annotations

import numpy as np
import pytest
import torch
from cachemw_codecs.codecs.cachegen.profile import counted, profile, weights_of
from cachemw_codecs.codecs.cachegen.sharing import per_channel, per_layer
from cachemw_codecs.codecs.cachegen.steps import BINS, PAPER
from cachemw_codecs.codecs.cachegen.symbols import ESCAPE
from cachemw_codecs.codecs.cachegen.tables import Tables
from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.kv import LayerKV, LayerShape

from tests.codecs.cachemw_codecs.codecs.cachegen.samples import (
    LAYERS,
    SMALL,
    calibration,
    text,
)

WIDE = LayerShape(2, 200, 8, torch.float32)


def test_without_deltas_steps_are_deviations_of_the_channels() -> None:
    samples = [text(seed, WIDE) for seed in range(3)]
    tables = Tables.read(profile(samples, delta=False))
    for layer in range(LAYERS):
        keys = torch.cat([sample[layer].keys for sample in samples], dim=1)
        wanted = keys.std(dim=1, correction=0).reshape(-1).numpy() * BINS[layer] / PAPER
        np.testing.assert_allclose(tables.steps[layer, : WIDE.channels], wanted, rtol=1e-4)


def test_deltas_of_independent_tokens_are_wider_by_the_root_of_two() -> None:
    samples = [text(seed, WIDE) for seed in range(8)]
    delta, direct = (Tables.read(profile(samples, delta=on)).steps for on in (True, False))
    assert np.median(delta / direct) == pytest.approx(2**0.5, rel=0.1)


def test_a_table_holds_what_came_most() -> None:
    tables = Tables.read(calibration())
    # Of the last third, whose bins are one and a half deviations wide.
    model = tables.value_model(2, PAPER)
    assert (model.tables.frequencies.argmax(axis=1) == 127).all()


def test_sharing_says_how_many_tables_there_are() -> None:
    own, shared = (Tables.read(calibration(sharing=s)) for s in (per_channel, per_layer))
    assert len(own.tensors["values"]) == LAYERS * 2 * SMALL.channels
    assert len(shared.tensors["values"]) == LAYERS * 2
    assert len(shared.tensors["anchors"]) == LAYERS * 2
    assert (own.steps == shared.steps).all()


def test_the_same_samples_give_the_same_file() -> None:
    assert calibration.__wrapped__() == calibration()


def test_a_channel_that_stands_still_has_a_step() -> None:
    sample = text(1, WIDE)
    for kv in sample:
        kv.keys[0, :, 0] = 3
        kv.values[:] = 0
    steps = Tables.read(profile([sample])).steps
    assert (steps > 0).all()


@pytest.mark.parametrize("loudness", [0, 1e-37, 1e36])
def test_steps_stay_where_products_do_not_overflow(loudness: float) -> None:
    sample = [LayerKV(kv.keys * loudness, kv.values) for kv in text(1, WIDE)]
    steps = Tables.read(profile([sample])).steps
    assert (steps > 1e-31).all()
    assert (steps < 1e31).all()


def test_a_text_of_one_token_is_enough_for_a_file() -> None:
    one = LayerShape(1, 1, 4, torch.bfloat16)
    assert Tables.read(profile([text(1, one)])).channels == 4


@pytest.mark.parametrize(
    "samples",
    [
        [],
        [[]],
        [text(1), text(1)[:2]],
        [text(1), text(1, LayerShape(2, 25, 4, torch.bfloat16))],
        [[text(1)[0], text(1, LayerShape(2, 25, 4, torch.bfloat16))[0]]],
        [[LayerKV(text(1)[0].keys, text(1)[0].values[:, 1:])]],
        [[LayerKV(torch.full((1, 12, 2), torch.nan), torch.zeros(1, 12, 2))]],
    ],
)
def test_samples_that_do_not_fit_are_refused(samples: list[list[LayerKV]]) -> None:
    with pytest.raises(InvalidInput):
        profile(samples)


def test_symbols_are_counted_by_column() -> None:
    numbers = np.array([[0, 1], [0, -127], [300, np.inf]], np.float32)
    counts = counted(numbers)
    assert counts[0, 127] == 2
    assert (counts[0, ESCAPE], counts[1, ESCAPE]) == (1, 1)
    assert (counts[1, 128], counts[1, 0]) == (1, 1)
    assert counts.sum() == 6


def test_narrow_counts_stay_and_wide_ones_are_smoothed() -> None:
    counts = np.zeros((2, 256), np.int64)
    counts[0, 127], counts[0, 128] = 3000, 1000
    counts[1, 20:230:10] = 50
    weights = weights_of(counts)
    assert np.flatnonzero(weights[0]).tolist() == [127, 128, ESCAPE]
    assert weights[0, 127] == pytest.approx(3 * weights[0, 128], rel=0.01)
    assert (weights[1, 20:230] > 0).all()


def test_weights_of_nothing_keep_values_as_they_are() -> None:
    weights = weights_of(np.zeros((1, 256), np.int64))
    assert np.flatnonzero(weights[0]).tolist() == [ESCAPE]
