from __future__ import annotations

import pytest
import torch
from cachemw_codecs.container.chunk import MAX_LAYERS, POSITIONS, Chunk
from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.kv import LayerKV, LayerShape


def _layer(tokens: int = 3, dtype: torch.dtype = torch.bfloat16) -> LayerKV:
    return LayerKV(torch.zeros(2, tokens, 4, dtype=dtype), torch.zeros(2, tokens, 4, dtype=dtype))


def test_it_has_the_shape_of_its_layers() -> None:
    chunk = Chunk((_layer(), _layer()), torch.tensor([0, 7, POSITIONS - 1]))
    assert chunk.shape == LayerShape(2, 3, 4, torch.bfloat16)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((), "layers: 0 is not"),
        ((_layer(),) * (MAX_LAYERS + 1), "layers: 4097 is not"),
        ((_layer(), _layer(4)), "layers: layer 1 is"),
        ((_layer(), _layer(dtype=torch.float16)), "layers: layer 1 is"),
        ((LayerKV(torch.zeros(2, 3, 4), torch.zeros(2, 3, 5)),), "values: "),
    ],
)
def test_layers_that_do_not_fit_are_named(layers: tuple[LayerKV, ...], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Chunk(layers, torch.arange(3))


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        (torch.arange(4), r"expected int64 \[3\], got torch.int64 \[4\]"),
        (torch.arange(3, dtype=torch.int32), "got torch.int32"),
        (torch.zeros(1, 3, dtype=torch.int64), r"got torch.int64 \[1, 3\]"),
        (torch.tensor([0, 2, 1]), "not strictly ascending"),
        (torch.tensor([0, 1, 1]), "not strictly ascending"),
        (torch.tensor([-1, 0, 1]), "not within 0 to 2147483647"),
        (torch.tensor([0, 1, POSITIONS]), "not within 0 to 2147483647"),
    ],
)
def test_positions_that_do_not_fit_are_named(positions: torch.Tensor, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Chunk((_layer(),), positions)
