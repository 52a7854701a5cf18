"""Eight bits a value: the baseline that CacheGen (arXiv 2310.07240) compares itself with."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.framing import Reader
from cachemw_codecs.codecs.scales import (
    from_steps,
    in_steps,
    read_steps,
    require_steps,
    steps_as_bytes,
    steps_of,
)
from cachemw_codecs.kv import LayerKV, LayerShape

_LARGEST = 127


class Int8(Codec):
    """Symmetric, rounded to nearest, one step a token and head: |error| <= step / 2.

    A payload is, for keys and then for values: steps, bfloat16 [kv_heads, tokens]; codes, int8
    [kv_heads, tokens, head_dim].
    """

    name: ClassVar[str] = "int8"
    levels: ClassVar[tuple[str, ...]] = ("8bit",)

    def encode_layer(self, layer: int, kv: LayerKV, level: str) -> bytes:  # noqa: ARG002
        """Quantise; raises `InvalidInput` for values that are not finite."""
        self.require_level(level)
        require_steps(kv)
        return b"".join(piece for part in (kv.keys, kv.values) for piece in _encoded(part))

    def decode_layer(
        self,
        layer: int,  # noqa: ARG002
        payload: bytes,
        shape: LayerShape,
        level: str,
    ) -> LayerKV:
        """Multiply codes by their steps."""
        self.require_level(level)
        reader = Reader(payload)
        keys, values = _decoded(reader, shape), _decoded(reader, shape)
        reader.end()
        return LayerKV(keys, values)


def _encoded(part: Tensor) -> tuple[bytes, bytes]:
    steps = steps_of(part, _LARGEST)
    codes = in_steps(part, steps).round_().to(torch.int8)
    return steps_as_bytes(steps), codes.contiguous().numpy().tobytes()


def _decoded(reader: Reader, shape: LayerShape) -> Tensor:
    steps = read_steps(reader, shape)
    codes = reader.take(shape.channels * shape.tokens, "codes").view("i1").copy()
    by_head = torch.from_numpy(codes).reshape(shape.kv_heads, shape.tokens, shape.head_dim)
    return from_steps(by_head, steps, shape.dtype)
