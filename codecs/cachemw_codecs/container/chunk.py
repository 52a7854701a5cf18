"""What a container holds."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.kv import LayerKV, LayerShape

MAX_LAYERS = 1 << 12
POSITIONS = 1 << 31
"""Positions are below this."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The KV of some tokens in all layers.

    `layers`: from the first to the last, all of one shape and dtype.
    `positions`: int64 [tokens] on the CPU, the absolute positions at which the KV was computed,
    strictly ascending, within 0 to 2^31 - 1.

    Raises `InvalidInput` where these do not fit together.
    """

    layers: tuple[LayerKV, ...]
    positions: Tensor

    def __post_init__(self) -> None:
        if not 1 <= len(self.layers) <= MAX_LAYERS:
            raise InvalidInput(f"layers: {len(self.layers)} is not within 1 to {MAX_LAYERS}")
        shape = self.shape
        for number, layer in enumerate(self.layers):
            if layer.shape != shape:
                raise InvalidInput(f"layers: layer {number} is {layer.shape}, layer 0 is {shape}")
        self._require_positions(shape.tokens)

    @property
    def shape(self) -> LayerShape:
        """The shape of each layer."""
        return self.layers[0].shape

    def _require_positions(self, tokens: int) -> None:
        positions = self.positions
        if positions.dtype != torch.int64 or positions.shape != (tokens,):
            raise InvalidInput(
                f"positions: expected int64 [{tokens}], "
                f"got {positions.dtype} {list(positions.shape)}"
            )
        if not bool((positions[1:] > positions[:-1]).all()):
            raise InvalidInput("positions: not strictly ascending")
        if int(positions[0]) < 0 or int(positions[-1]) >= POSITIONS:
            raise InvalidInput(f"positions: not within 0 to {POSITIONS - 1}")
