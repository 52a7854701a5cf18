"""What prefilling asks of a store of chunks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from cachemw_codecs.kv import LayerKV

from cachemw.engine.chunks.variant import ChunkKey, LayerSource, Origin


@dataclass(frozen=True, slots=True)
class Found:
    """A stored variant: enough to choose by, its KV not read yet."""

    id: int
    origin: Origin
    tokens: int


class ChunkStore(ABC):
    """Variants of chunks within byte limits.

    Nothing here raises but where said: a store that fails finds nothing and keeps nothing, and says
    so in a metric and one log line per change.
    """

    @abstractmethod
    def find(self, key: ChunkKey) -> Sequence[Found]:
        """Return the variants of a chunk, without touching the disk."""

    @abstractmethod
    def open(self, key: ChunkKey, found: Found) -> LayerSource:
        """Return the KV of a variant; raises `ChunkGone`. It stays readable while it is held."""

    @abstractmethod
    def used(self, key: ChunkKey, found: Found, cfo: float) -> None:
        """Note a use: its score grows by 1 / (CFO + eps) (Cache-Craft)."""

    @abstractmethod
    def put(self, key: ChunkKey, origin: Origin, layers: Sequence[LayerKV]) -> None:
        """Keep a variant (replaces one of the same context); encodes beside the caller.

        `layers`: keys before RoPE, on any device; not modified, not referred to after encoding.
        """

    @abstractmethod
    def purge(self, tenant: bytes | None = None) -> int:
        """Forget the variants of a tenant, or all; return how many."""
