"""What a codec is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from cachemw_codecs.errors import UnsupportedFormat
from cachemw_codecs.kv import LayerKV, LayerShape

LADDER = ("finest", "finer", "fine", "medium", "coarse", "coarser", "coarsest")
"""Names of levels where a codec has many; finest first."""


class Codec(ABC):
    """Turns one layer of KV into bytes and back.

    A codec keeps nothing between layers: each payload decodes alone, so that layers can be read
    by range and loaded while others compute. `encode_layer` and `decode_layer` may be called from
    several threads at once.

    What is not in the payload the container says: shape, dtype, level, the tables' hash.
    """

    name: ClassVar[str]
    levels: ClassVar[tuple[str, ...]]
    """Finest first. A codec without a choice has one."""
    tables_hash: bytes = b""
    """16 bytes that name the calibration file in use; empty where a codec needs none."""

    @abstractmethod
    def encode_layer(self, layer: int, kv: LayerKV, level: str) -> bytes:
        """Encode layer number `layer` (from 0), at least as finely as `level` says.

        Raises `InvalidInput` where the KV does not fit the codec (shape, a value that is not
        finite) and `UnsupportedFormat` for an unknown level. Does not modify `kv`.
        """

    @abstractmethod
    def decode_layer(self, layer: int, payload: bytes, shape: LayerShape, level: str) -> LayerKV:
        """Decode what `encode_layer` returned into tensors of `shape`, contiguous, on the CPU.

        Raises `DamagedData` for any other bytes that cannot be decoded. Never reads or allocates
        more than in proportion to `shape` and `len(payload)`.
        """

    def placed(self, *, begins: bool, ends: bool) -> Codec:  # noqa: ARG002
        """Return the codec for chunks at a place in the context; this one, where that is all one.

        `begins`: the chunk's KV was computed from the context's first token on, so that it holds
        the sinks. `ends`: a question or an answer follows it, which looks at its end most.
        """
        return self

    def require_level(self, level: str) -> int:
        """Return the level's place in `levels`, 0 the finest; raises `UnsupportedFormat`."""
        try:
            return self.levels.index(level)
        except ValueError:
            known = ", ".join(self.levels)
            raise UnsupportedFormat(f"{self.name} has no level {level!r}, only {known}") from None
