from __future__ import annotations

import pytest
import torch
from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.kv import (
    DTYPES,
    MAX_CHANNELS,
    MAX_TOKENS,
    LayerKV,
    LayerShape,
    by_head,
    by_token,
    require_finite,
)


def layer(dtype: torch.dtype = torch.float32) -> LayerKV:
    """Return a layer whose every value is different."""
    keys, values = torch.arange(2 * 3 * 5 * 4).reshape(2, 3, 5, 4).to(dtype)
    return LayerKV(keys, values)


def test_a_shape_knows_its_size() -> None:
    shape = LayerShape(3, 5, 4, torch.bfloat16)
    assert (shape.channels, shape.nbytes) == (12, 2 * 12 * 5 * 2)
    assert LayerShape(3, 5, 4, torch.float32).nbytes == 2 * 12 * 5 * 4


@pytest.mark.parametrize("dtype", DTYPES.values())
def test_a_layers_shape_is_that_of_its_tensors(dtype: torch.dtype) -> None:
    kv = layer(dtype)
    assert kv.shape == LayerShape(3, 5, 4, dtype)
    assert kv.shape.nbytes == sum(part.nbytes for part in (kv.keys, kv.values))


@pytest.mark.parametrize(
    ("heads", "tokens", "dim", "dtype", "says"),
    [
        (1, 1, 1, torch.float64, "dtype"),
        (1, 1, 1, torch.int8, "dtype"),
        (1, 0, 1, torch.float32, "tokens"),
        (1, -1, 1, torch.float32, "tokens"),
        (1, MAX_TOKENS + 1, 1, torch.float32, "tokens"),
        (0, 1, 1, torch.float32, "head"),
        (1, 1, 0, torch.float32, "head"),
        (-2, 1, -2, torch.float32, "head"),
        (2, 1, MAX_CHANNELS // 2 + 1, torch.float32, "head"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(
    heads: int, tokens: int, dim: int, dtype: torch.dtype, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        LayerShape(heads, tokens, dim, dtype)


def test_the_largest_shape_is_allowed() -> None:
    assert LayerShape(2, MAX_TOKENS, MAX_CHANNELS // 2, torch.float32).channels == MAX_CHANNELS


@pytest.mark.parametrize(
    ("keys", "values", "says"),
    [
        (torch.zeros(5, 4), torch.zeros(5, 4), "keys"),
        (torch.zeros(1, 3, 5, 4), torch.zeros(1, 3, 5, 4), "keys"),
        (torch.zeros(3, 5, 4), torch.zeros(3, 5, 2), "values"),
        (torch.zeros(3, 5, 4), torch.zeros(3, 5, 4).half(), "values"),
        (torch.zeros(3, 0, 4), torch.zeros(3, 0, 4), "tokens"),
        (torch.zeros(3, 5, 4).int(), torch.zeros(3, 5, 4).int(), "dtype"),
    ],
)
def test_keys_and_values_that_do_not_fit_are_refused(
    keys: torch.Tensor, values: torch.Tensor, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        _ = LayerKV(keys, values).shape


def test_rows_of_channels_have_a_tokens_heads_side_by_side() -> None:
    part = layer().keys
    rows = by_token(part)
    assert rows.shape == (5, 12)
    for token in range(5):
        assert rows[token].tolist() == [
            float(part[head, token, channel]) for head in range(3) for channel in range(4)
        ]


def test_by_head_undoes_by_token_and_is_contiguous() -> None:
    part = layer().keys
    back = by_head(by_token(part), layer().shape)
    assert back.is_contiguous()
    assert torch.equal(back, part)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("part", ["keys", "values"])
def test_values_that_are_not_finite_are_refused(wrong: float, part: str) -> None:
    kv = layer(torch.float16)
    require_finite(kv)
    getattr(kv, part)[2, 4, 1] = wrong
    with pytest.raises(InvalidInput, match=part):
        require_finite(kv)
