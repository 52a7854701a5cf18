"""Eight-bit floating point, the formats of P. Micikevicius et al., arXiv 2209.05433."""

from __future__ import annotations

from types import MappingProxyType
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
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.kv import LayerKV, LayerShape

_FORMATS = MappingProxyType({"e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2})


class Fp8(Codec):
    """One scale a token and head takes its largest value to the largest of the format.

    |error| <= 1/16 of the value in e4m3 and 1/8 in e5m2, and for values next to zero half of the
    format's smallest number times the scale.

    A payload is, for keys and then for values: scales, bfloat16 [kv_heads, tokens]; codes, a byte
    each, [kv_heads, tokens, head_dim].
    """

    name: ClassVar[str] = "fp8"
    levels: ClassVar[tuple[str, ...]] = tuple(_FORMATS)

    def encode_layer(self, layer: int, kv: LayerKV, level: str) -> bytes:  # noqa: ARG002
        """Scale and round; raises `InvalidInput` for values that are not finite."""
        self.require_level(level)
        require_steps(kv)
        form = _FORMATS[level]
        return b"".join(piece for part in (kv.keys, kv.values) for piece in _encoded(part, form))

    def decode_layer(
        self,
        layer: int,  # noqa: ARG002
        payload: bytes,
        shape: LayerShape,
        level: str,
    ) -> LayerKV:
        """Multiply codes by their scales."""
        self.require_level(level)
        reader = Reader(payload)
        form = _FORMATS[level]
        keys, values = _decoded(reader, shape, form), _decoded(reader, shape, form)
        reader.end()
        return LayerKV(keys, values)


def _encoded(part: Tensor, form: torch.dtype) -> tuple[bytes, bytes]:
    largest = torch.finfo(form).max
    scales = steps_of(part, largest)
    # e4m3fn knows no infinity: what passed its largest number would become NaN.
    codes = in_steps(part, scales).clamp_(-largest, largest).to(form)
    return steps_as_bytes(scales), codes.contiguous().view(torch.uint8).numpy().tobytes()


def _decoded(reader: Reader, shape: LayerShape, form: torch.dtype) -> Tensor:
    scales = read_steps(reader, shape)
    codes = torch.from_numpy(reader.take(shape.channels * shape.tokens, "codes").copy()).view(form)
    if not bool(torch.isfinite(codes.float()).all()):
        raise DamagedData("codes: a value that is not finite")
    by_head = codes.reshape(shape.kv_heads, shape.tokens, shape.head_dim)
    return from_steps(by_head, scales, shape.dtype)
