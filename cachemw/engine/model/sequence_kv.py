"""The keys and values of one sequence, as attention reads them."""

from __future__ import annotations

import torch
from torch import Tensor

from cachemw.engine.model.decoder import Geometry


class SequenceKV:
    """Room for `capacity` tokens in every layer; a token's place is its position.

    Keys are rotated here. `length` tokens are valid in all layers once a prefill or step is over.
    """

    def __init__(self, geometry: Geometry, capacity: int) -> None:
        shape = (geometry.layers, geometry.kv_heads, capacity, geometry.head_dim)
        self._keys = torch.empty(shape, dtype=geometry.dtype, device=geometry.device)
        self._values = torch.empty_like(self._keys)
        self.capacity = capacity
        self.length = 0

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._keys.nbytes + self._values.nbytes

    def put(self, layer: int, positions: Tensor | slice, keys: Tensor, values: Tensor) -> None:
        """Write rotated `keys` and `values`, [kv_heads, tokens, head_dim], at `positions`."""
        self._keys[layer, :, positions] = keys
        self._values[layer, :, positions] = values

    def upto(self, layer: int, length: int) -> tuple[Tensor, Tensor]:
        """Return keys and values of positions below `length`: views, [kv_heads, length, dim]."""
        return self._keys[layer, :, :length], self._values[layer, :, :length]
