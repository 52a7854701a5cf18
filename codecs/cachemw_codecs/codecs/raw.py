"""No compression: what the others are measured against."""

from __future__ import annotations

from typing import ClassVar

from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.framing import Reader, from_words, words
from cachemw_codecs.kv import LayerKV, LayerShape


class Raw(Codec):
    """The bits of keys, then of values, little-endian, in the order of their tensors."""

    name: ClassVar[str] = "raw"
    levels: ClassVar[tuple[str, ...]] = ("raw",)

    def encode_layer(self, layer: int, kv: LayerKV, level: str) -> bytes:  # noqa: ARG002
        """Write the bits as they are; NaN and infinity too."""
        self.require_level(level)
        order = f"<u{kv.shape.dtype.itemsize}"
        return b"".join(
            words(part).astype(order, copy=False).tobytes() for part in (kv.keys, kv.values)
        )

    def decode_layer(
        self,
        layer: int,  # noqa: ARG002
        payload: bytes,
        shape: LayerShape,
        level: str,
    ) -> LayerKV:
        """Read the bits back; any payload of the right length decodes."""
        self.require_level(level)
        reader = Reader(payload)
        taken = reader.take(shape.nbytes, "layer")
        reader.end()
        # A copy, in the machine's order: the payload is read-only and tensors are not.
        native = taken.view(f"<u{shape.dtype.itemsize}").astype(f"=u{shape.dtype.itemsize}")
        both = from_words(native, shape.dtype)
        keys, values = both.reshape(2, shape.kv_heads, shape.tokens, shape.head_dim)
        return LayerKV(keys, values)
