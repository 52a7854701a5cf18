from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from cachemw_codecs.codecs.base import LADDER
from cachemw_codecs.codecs.transform import Transform
from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.hf import capture
from cachemw_codecs.kv import LayerKV
from cachemw_codecs.transform import TransformTables, calibrate
from cachemw_codecs.transform.blocks import BLOCK
from cachemw_codecs.transform.calibrate import fit
from cachemw_codecs.transform.classes import SCALES, deviation
from cachemw_codecs.transform.sensitivity import Observed, Reading
from torch import Tensor
from transformers import FalconConfig, FalconForCausalLM, PreTrainedModel


@pytest.fixture(scope="module")
def file(model: PreTrainedModel, texts: list[Tensor]) -> bytes:
    return calibrate(model, texts[:4], seed=3)


@pytest.fixture(scope="module")
def held_out(model: PreTrainedModel, texts: list[Tensor]) -> tuple[LayerKV, ...]:
    return capture(model, texts[4]).layers


def test_a_seed_gives_the_same_file(
    model: PreTrainedModel, texts: list[Tensor], file: bytes
) -> None:
    assert calibrate(model, texts[:4], seed=3) == file
    assert calibrate(model, texts[:4], seed=4) != file


def test_the_file_opens_and_is_of_the_model(file: bytes) -> None:
    tables = TransformTables.load(file)
    assert (tables.layers, tables.kv_heads, tables.channels) == (2, 2, 16)
    assert (np.diff(tables.level_shifts) >= 1).all()
    # Of a model of any size: frequencies take 60 kB, and 2 C^2 values a layer.
    assert len(file) < 70_000 + 2 * 2 * 16 * 16 * 2 + 4000


def test_a_finer_level_is_closer_and_larger_on_another_text(
    file: bytes, held_out: tuple[LayerKV, ...]
) -> None:
    codec = Transform(file)
    for layer, kv in enumerate(held_out):
        sizes, errors = [], []
        for level in LADDER:
            payload = codec.encode_layer(layer, kv, level)
            decoded = codec.decode_layer(layer, payload, kv.shape, level)
            sizes.append(len(payload))
            errors.append(
                float((kv.keys - decoded.keys).square().mean())
                + float((kv.values - decoded.values).square().mean())
            )
        assert sizes == sorted(set(sizes), reverse=True)
        assert errors == sorted(set(errors))
        assert errors[0] < errors[-1] / 10


def test_tables_suit_another_text(file: bytes, held_out: tuple[LayerKV, ...]) -> None:
    """With scales a factor of two off either way, payloads are larger."""
    tables = TransformTables.load(file)

    def size(shift: int) -> int:
        moved = np.clip(tables.scales.astype(int) + shift, -128, 127).astype(np.int8)
        codec = Transform(replace(tables, scales=moved))
        return sum(len(codec.encode_layer(n, kv, "fine")) for n, kv in enumerate(held_out))

    assert size(0) < size(4)
    assert size(0) < size(-4)


def test_a_head_for_all_queries_that_no_configuration_counts(texts: list[Tensor]) -> None:
    config = FalconConfig(
        vocab_size=97,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        multi_query=True,
        new_decoder_architecture=False,
        alibi=False,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made: Any = FalconForCausalLM(config)
    tables = TransformTables.load(calibrate(made.train(mode=False), texts[:1]))
    assert (tables.kv_heads, tables.channels) == (1, 16)


def test_nothing_to_calibrate_with_is_refused(model: PreTrainedModel, texts: list[Tensor]) -> None:
    with pytest.raises(InvalidInput, match="texts: none"):
        calibrate(model, [])
    with pytest.raises(InvalidInput, match="100 tokens"):
        calibrate(model, [texts[0], texts[1][:100]])


def made_up(widths: np.ndarray, sensitivities: np.ndarray) -> Reading:
    """Return a layer whose channels are independent, keys of `widths` and values of twice that."""
    random = np.random.default_rng(0)
    parts = []
    for factor in (1, 2):
        rows = 5 + factor * widths * random.standard_normal((2000, len(widths)))
        rows[0] = 77
        gradients = sensitivities / factor * random.standard_normal(rows.shape)
        parts.append(Observed(rows.astype(np.float32), gradients.astype(np.float32)))
    nothing = torch.zeros(0)
    return Reading(tuple(parts), nothing, nothing, nothing)


def test_channels_that_matter_more_have_finer_steps() -> None:
    sensitivities = np.array([4.0, 2.0, 1.0, 0.5])
    tables = fit([made_up(np.ones(4), sensitivities)], kv_heads=2)
    # A coordinate a channel: a step moves it by as much as costs the same for all.
    basis = np.abs(tables.synthesis[0, 0].astype(np.float64))
    moves = basis.max(axis=0)
    assert (np.sort(basis.ravel())[:-4] < 0.2 * moves.min()).all()
    ridged = np.sqrt(sensitivities**2 + 0.1 * np.mean(sensitivities**2))
    np.testing.assert_allclose(moves * ridged / (moves * ridged).mean(), 1, rtol=0.1)
    assert tables.kv_heads == 2
    assert tables.level_shifts.tolist() == [0] * len(LADDER)


def test_directions_are_of_the_frequencies_that_matter() -> None:
    """Fast noise along one diagonal, less of slow changes along the other, which alone matter."""
    random = np.random.default_rng(1)
    tokens = 4 + 125 * BLOCK
    slow, slow_gradients = (
        np.repeat(random.standard_normal((126, 2)), BLOCK, axis=0)[BLOCK - 4 :] for _ in range(2)
    )
    fast = 2 * random.standard_normal(tokens)
    rows = np.stack([slow[:, 0] + fast, slow[:, 0] - fast], axis=1).astype(np.float32)
    gradients = slow_gradients + 0.01 * random.standard_normal((tokens, 2))
    part = Observed(rows, gradients.astype(np.float32))
    nothing = torch.zeros(0)
    tables = fit([Reading((part, part), nothing, nothing, nothing)], kv_heads=1)
    first, second = tables.synthesis[0, 0].astype(np.float64)
    assert first[0] * first[1] > 0
    assert second[0] * second[1] < 0
    of_tokens, of_means, *of_changes = tables.scales[0, 0, :, 0].astype(int)
    assert of_means > of_tokens > max(of_changes)
    assert int(tables.frequency_shifts[0, 0, 0]) < 0 < int(tables.frequency_shifts[0, 0, 1:].min())


def test_means_are_of_all_tokens_and_of_the_first() -> None:
    tables = fit([made_up(np.ones(4), np.ones(4))], kv_heads=1)
    np.testing.assert_allclose(tables.means[0], 5, atol=0.3)
    np.testing.assert_array_equal(tables.means[1], 77)


def test_the_step_is_the_median_deviation_and_scales_are_those_of_the_coordinates() -> None:
    widths = np.array([4.0, 2.0, 1.0, 0.5])
    reading = made_up(widths, np.ones(4))
    tables = fit([reading], kv_heads=1)
    assert np.median([deviation(int(s)) for s in tables.scales[0, :, 1:].ravel()]) == pytest.approx(
        1, rel=0.2
    )
    for kind in range(2):
        y = (reading.parts[kind].rows[4:] - tables.means[0, 0, kind]) @ tables.analysis(0, kind)
        found = [deviation(int(scale)) for scale in tables.scales[0, kind, 0]]
        np.testing.assert_allclose(found, y.std(axis=0), rtol=0.12)
    assert int(tables.scales.max()) < SCALES
    assert (tables.shapes == 0).all(), "all were drawn from Gaussians"
