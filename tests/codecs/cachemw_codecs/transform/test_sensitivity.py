from __future__ import annotations

import numpy as np
import pytest
import torch
from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.hf import continue_logits, restore
from cachemw_codecs.kv import LayerKV
from cachemw_codecs.transform.blocks import BLOCK, forward
from cachemw_codecs.transform.sensitivity import (
    CONTINUATION,
    FEWEST_TOKENS,
    Observed,
    Reading,
    energies,
    frequency_weights,
    gradient_blocks,
    metric,
    observe,
)
from cachemw_codecs.transform.zones import BODY, LOOSE, SETTINGS, TAILS, zones
from torch import Tensor
from transformers import PreTrainedModel

HEADS = 2


@pytest.fixture(scope="module")
def reading(model: PreTrainedModel, texts: list[Tensor]) -> Reading:
    return observe(model, texts[0], torch.Generator().manual_seed(5))


def layers(reading: Reading, moved: dict[int, np.ndarray] | None = None) -> list[LayerKV]:
    """Return the cache, with `moved` added to some of its parts."""
    parts = []
    for number, part in enumerate(reading.parts):
        rows = part.rows + (moved or {}).get(number, np.float32(0))
        split = rows.reshape(len(rows), HEADS, -1).transpose(1, 0, 2)
        parts.append(torch.from_numpy(np.ascontiguousarray(split, np.float32)))
    return [LayerKV(*pair) for pair in zip(parts[::2], parts[1::2], strict=True)]


def test_a_reading_is_what_the_model_computes(
    model: PreTrainedModel, texts: list[Tensor], reading: Reading
) -> None:
    ahead = 480 // 5
    assert len(reading.parts) == 4
    assert all(part.rows.shape == part.gradients.shape == (384, 16) for part in reading.parts)
    assert torch.equal(reading.rest, texts[0][-ahead:])
    assert torch.equal(reading.positions, torch.arange(384))
    assert reading.expected.shape == (ahead, 97)
    with torch.no_grad():
        whole = torch.log_softmax(model(input_ids=texts[0][None]).logits[0, -ahead:].float(), -1)
    torch.testing.assert_close(reading.expected, whole, atol=1e-4, rtol=1e-4)


def test_long_texts_have_a_bounded_continuation(model: PreTrainedModel) -> None:
    ids = torch.arange(5 * CONTINUATION + 50) % 97
    found = observe(model, ids, torch.Generator().manual_seed(0))
    assert found.rest.numel() == CONTINUATION
    assert len(found.parts[0].rows) == 4 * CONTINUATION + 50


@pytest.mark.parametrize("number", range(4))
def test_gradients_agree_with_finite_differences(
    model: PreTrainedModel, reading: Reading, number: int
) -> None:
    # The answers that were drawn, again.
    random = torch.Generator().manual_seed(5)
    drawn = torch.multinomial(reading.expected.exp(), 1, generator=random)

    def likelihood(moved: dict[int, np.ndarray]) -> float:
        cache = restore(model, layers(reading, moved), reading.positions)
        logs = torch.log_softmax(continue_logits(model, cache, reading.rest).double(), dim=-1)
        return float(logs.gather(-1, drawn).sum())

    gradients = reading.parts[number].gradients.astype(np.float64)
    # Along the gradient, where the change is largest, and in a direction that is not.
    along = gradients / np.linalg.norm(gradients)
    across = np.zeros_like(along)
    across[-1, 3] = 1.0
    for direction in (along, across):
        step = (0.02 * direction).astype(np.float32)
        measured = (likelihood({number: step}) - likelihood({number: -step})) / 0.04
        expected = float((gradients * direction).sum())
        assert measured == pytest.approx(expected, rel=0.02, abs=0.005)


def test_the_same_generator_gives_the_same_answers(
    model: PreTrainedModel, texts: list[Tensor], reading: Reading
) -> None:
    again = observe(model, texts[0], torch.Generator().manual_seed(5))
    other = observe(model, texts[0], torch.Generator().manual_seed(6))
    np.testing.assert_array_equal(again.parts[1].gradients, reading.parts[1].gradients)
    assert (other.parts[1].gradients != reading.parts[1].gradients).any()
    np.testing.assert_array_equal(other.parts[1].rows, reading.parts[1].rows)


def test_weights_have_no_gradients_and_are_left_as_they_were(
    model: PreTrainedModel, texts: list[Tensor]
) -> None:
    first, *others = model.parameters()
    first.requires_grad_(False)
    try:
        observe(model, texts[0], torch.Generator().manual_seed(0))
        assert not first.requires_grad
        assert all(weight.requires_grad for weight in others)
        assert all(weight.grad is None for weight in model.parameters())
    finally:
        first.requires_grad_(True)


def test_weights_are_left_as_they_were_after_a_failure(
    model: PreTrainedModel, texts: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(torch.autograd, "grad", broken)
    with pytest.raises(RuntimeError, match="out of memory"):
        observe(model, texts[0], torch.Generator().manual_seed(0))
    assert all(weight.requires_grad for weight in model.parameters())


def test_a_short_text_is_refused(model: PreTrainedModel, texts: list[Tensor]) -> None:
    with pytest.raises(InvalidInput, match=f"479 tokens, at least {FEWEST_TOKENS}"):
        observe(model, texts[0][:-1], torch.Generator())
    short = zones(FEWEST_TOKENS - FEWEST_TOKENS // 5, True, True)
    assert {zone.setting for zone in short} >= {BODY, *TAILS}


def made_up(loud: dict[int, float], tokens: int = 384, seed: int = 0) -> Observed:
    """Return gradients of deviation 1, times `loud` by setting."""
    random = np.random.default_rng(seed)
    gradients = random.standard_normal((tokens, 6)).astype(np.float32)
    for zone in zones(tokens, True, True):
        gradients[zone.start : zone.stop] *= loud.get(zone.setting, 1.0)
    return Observed(np.zeros_like(gradients), gradients)


def as_reading(*parts: Observed) -> Reading:
    nothing = torch.zeros(0)
    return Reading(parts, nothing, nothing, nothing)


def test_energies_are_of_settings_relative_to_the_body() -> None:
    loud = {0: 10.0, 1: 4.0, BODY: 3.0, TAILS[2]: 12.0}
    whole_blocks = 4 + 24 * BLOCK
    parts = [made_up(loud, whole_blocks, seed) for seed in (0, 1)]
    found = energies([as_reading(*parts)])
    assert found[BODY] == 1
    assert found[0] == pytest.approx((10 / 3) ** 2, rel=0.8)
    assert found[TAILS[2]] == pytest.approx(16, rel=0.25)
    assert found[TAILS[0]] == pytest.approx(1 / 9, rel=0.25)
    assert found[LOOSE] == 1, "no text has tokens of it"


def test_energies_are_a_mean_over_parts_whatever_their_size() -> None:
    quiet = made_up({TAILS[0]: 4.0})
    loud = Observed(quiet.rows, quiet.gradients * np.float32(1000))
    plain = made_up({}, seed=0)
    both, alone = energies([as_reading(quiet, loud)]), energies([as_reading(quiet, quiet)])
    np.testing.assert_allclose(both, alone, rtol=1e-5)
    mixed = energies([as_reading(quiet, plain)])
    expected = np.sqrt(alone * energies([as_reading(plain)]))
    np.testing.assert_allclose(mixed, expected, rtol=1e-5)


def test_no_gradients_at_all_give_equal_energies() -> None:
    nothing = Observed(np.zeros((384, 6), np.float32), np.zeros((384, 6), np.float32))
    assert energies([as_reading(nothing)]).tolist() == [1.0] * SETTINGS


def test_gradients_by_block_are_brought_to_the_size_of_the_bodys() -> None:
    loud = {BODY: 1.0, TAILS[0]: 2.0, TAILS[1]: 3.0, TAILS[2]: 4.0}
    text = made_up(loud)
    energy = np.array([loud.get(setting, 1.0) ** 2 for setting in range(SETTINGS)])
    blocks = gradient_blocks([text, text], energy)
    assert blocks.shape == (2 * 23, BLOCK, 6)  # 384 less 4 sinks and 12 loose
    plain = made_up({}).gradients[16:]
    np.testing.assert_allclose(blocks[:23], forward(plain), atol=1e-5)


def test_weights_are_of_frequencies_and_have_mean_one() -> None:
    random = np.random.default_rng(1)
    loudness = np.linspace(2, 0.1, BLOCK)
    blocks = random.standard_normal((2000, BLOCK, 3)) * loudness[:, None]
    weights = frequency_weights(blocks)
    assert weights.mean() == pytest.approx(1)
    np.testing.assert_allclose(weights, loudness**2 / np.mean(loudness**2), rtol=0.1)
    assert frequency_weights(np.zeros((3, BLOCK, 2))).tolist() == [1.0] * BLOCK


def test_the_metric_is_the_mean_outer_product_of_gradients() -> None:
    random = np.random.default_rng(2)
    factor = random.standard_normal((3, 3))
    weights = np.linspace(2, 0.5, BLOCK)
    blocks = random.standard_normal((4000, BLOCK, 3)) @ factor * np.sqrt(weights)[:, None]
    found = metric(blocks, weights)
    np.testing.assert_allclose(found, factor.T @ factor, atol=0.05 * np.abs(factor).max() ** 2)
