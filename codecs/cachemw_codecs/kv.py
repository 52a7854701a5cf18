"""Keys and values as codecs see them."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from cachemw_codecs.errors import InvalidInput

DTYPES = MappingProxyType(
    {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
)
MAX_TOKENS = 1 << 20
MAX_CHANNELS = 1 << 15
"""Of one layer's keys: kv_heads x head_dim."""


@dataclass(frozen=True, slots=True)
class LayerShape:
    """What a layer's keys and values look like: both [kv_heads, tokens, head_dim], in `dtype`."""

    kv_heads: int
    tokens: int
    head_dim: int
    dtype: torch.dtype

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES.values():
            raise InvalidInput(f"dtype: {self.dtype} is none of {', '.join(DTYPES)}")
        if not 1 <= self.tokens <= MAX_TOKENS:
            raise InvalidInput(f"tokens: {self.tokens} is not within 1 to {MAX_TOKENS}")
        if self.kv_heads < 1 or self.head_dim < 1 or self.channels > MAX_CHANNELS:
            raise InvalidInput(
                f"kv_heads x head_dim: {self.kv_heads} x {self.head_dim} is not within 1 to "
                f"{MAX_CHANNELS} channels"
            )

    @property
    def channels(self) -> int:
        """Values of one token's keys (or values) in one layer: kv_heads x head_dim."""
        return self.kv_heads * self.head_dim

    @property
    def nbytes(self) -> int:
        """Bytes of one layer uncompressed, keys and values."""
        return 2 * self.channels * self.tokens * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class LayerKV:
    """One layer's cache: `keys` and `values`, each [kv_heads, tokens, head_dim].

    Keys are taken *before* the rotary embedding, so that they can be rotated to any position.
    Both are on the CPU unless a codec says that it reads the GPU's.
    """

    keys: Tensor
    values: Tensor

    @property
    def shape(self) -> LayerShape:
        """The layer's shape; raises `InvalidInput` where keys and values do not fit together."""
        if self.keys.ndim != 3:
            raise InvalidInput(
                f"keys: expected [kv_heads, tokens, head_dim], got {list(self.keys.shape)}"
            )
        if self.keys.shape != self.values.shape or self.keys.dtype != self.values.dtype:
            raise InvalidInput(
                f"values: expected {list(self.keys.shape)} {self.keys.dtype} like the keys, "
                f"got {list(self.values.shape)} {self.values.dtype}"
            )
        heads, tokens, dim = self.keys.shape
        return LayerShape(heads, tokens, dim, self.keys.dtype)


def by_token(part: Tensor) -> Tensor:
    """[kv_heads, tokens, head_dim] -> [tokens, kv_heads x head_dim]: a row of channels a token."""
    return part.transpose(0, 1).reshape(part.shape[1], -1)


def by_head(rows: Tensor, shape: LayerShape) -> Tensor:
    """Undo `by_token`: [tokens, channels] -> contiguous [kv_heads, tokens, head_dim]."""
    return rows.reshape(shape.tokens, shape.kv_heads, shape.head_dim).transpose(0, 1).contiguous()


def require_finite(kv: LayerKV) -> None:
    """Raise `InvalidInput` where a value is infinite or not a number: no step fits those."""
    for name, part in (("keys", kv.keys), ("values", kv.values)):
        if not bool(torch.isfinite(part).all()):
            raise InvalidInput(f"{name}: contains a value that is not finite")
