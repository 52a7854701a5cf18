from __future__ import annotations

from typing import Any

import pytest
import torch
from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.hf import capture, continue_logits, restore

KINDS = [
    "llama", "llama-wide-heads", "llama-yarn", "llama-llama3", "mistral", "qwen2", "qwen3", "phi",
    "glm", "cohere", "olmo2", "phi3", "gpt_neox", "gpt2", "opt", "bloom", "mpt",
]  # fmt: skip


def full_logits(model: Any, ids: torch.Tensor, positions: torch.Tensor | None = None) -> Any:
    place = {} if positions is None else {"position_ids": positions[None]}
    with torch.no_grad():
        return model(input_ids=ids[None], **place).logits[0].float()


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", KINDS)
def test_going_on_from_a_restored_cache_is_going_on(
    build: Any, ids: torch.Tensor, kind: str, attention: str
) -> None:
    if kind in ("bloom", "mpt") and attention == "sdpa":
        pytest.skip("has its own attention only")
    model = build(kind, attn_implementation=attention)
    captured = capture(model, ids[:30])
    cache = restore(model, captured.layers, captured.positions)
    expected = full_logits(model, ids)
    first = continue_logits(model, cache, ids[30:36])
    then = continue_logits(model, cache, ids[36:])
    torch.testing.assert_close(torch.cat((first, then)), expected[30:], rtol=0, atol=2e-5)
    assert cache.get_seq_length() == 40
    # The cache matters: else the test would pass with it dropped.
    assert float((full_logits(model, ids[30:])[1:] - expected[31:]).abs().max()) > 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16(build: Any, ids: torch.Tensor, kind: str) -> None:
    model = build(kind, torch.bfloat16)
    captured = capture(model, ids[:30])
    got = continue_logits(model, restore(model, captured.layers, captured.positions), ids[30:])
    expected = full_logits(model, ids)[30:]
    assert float((got - expected).abs().max()) < 0.15 * float(expected.std())


@pytest.mark.parametrize("kind", ["llama", "llama-yarn", "qwen3", "phi", "glm", "gpt_neox"])
def test_other_positions(build: Any, ids: torch.Tensor, kind: str) -> None:
    """What was captured at 0 goes on at 200 as if it had been read there."""
    model = build(kind)
    captured = capture(model, ids[:30])
    cache = restore(model, captured.layers, captured.positions + 200)
    got = continue_logits(model, cache, ids[30:], torch.arange(230, 240))
    expected = full_logits(model, ids, torch.arange(200, 240))
    torch.testing.assert_close(got, expected[30:], rtol=0, atol=1e-4)
    stale = restore(model, captured.layers, captured.positions)
    wrong = continue_logits(model, stale, ids[30:], torch.arange(230, 240))
    assert float((wrong - expected[30:]).abs().max()) > 0.01


def test_the_layers_stay_as_they_are(build: Any, ids: torch.Tensor) -> None:
    model = build("gpt2")
    captured = capture(model, ids[:30])
    before = [(layer.keys.clone(), layer.values.clone()) for layer in captured.layers]
    cache: Any = restore(model, captured.layers, captured.positions)
    for cached in cache.layers:
        cached.keys.zero_()
        cached.values.zero_()
    for layer, (keys, values) in zip(captured.layers, before, strict=True):
        assert torch.equal(layer.keys, keys)
        assert torch.equal(layer.values, values)


def test_float32_layers_are_cast_once(build: Any, ids: torch.Tensor) -> None:
    """A codec may hand out more than the model's dtype holds: it is used before the cast."""
    model = build("llama", torch.bfloat16)
    captured = capture(build("llama"), ids)
    cache: Any = restore(model, captured.layers, captured.positions)
    exact: Any = restore(build("llama"), captured.layers, captured.positions)
    for layer, wanted in zip(cache.layers, exact.layers, strict=True):
        assert torch.equal(layer.keys, wanted.keys.to(torch.bfloat16))


def test_what_does_not_fit_is_refused(build: Any, ids: torch.Tensor) -> None:
    model = build("llama")
    captured = capture(model, ids)
    with pytest.raises(InvalidInput, match="layers: the model has 3, got 2"):
        restore(model, captured.layers[:2], captured.positions)
    with pytest.raises(InvalidInput, match="positions: 39, but layer 0 has 40"):
        restore(model, captured.layers, captured.positions[1:])
    cache = restore(model, captured.layers, captured.positions)
    with pytest.raises(InvalidInput, match="ids"):
        continue_logits(model, cache, ids[None])
    with pytest.raises(InvalidInput, match="training"):
        continue_logits(model.train(), cache, ids)
