"""What a vector index is: vectors and keys only; the documents live in the store."""

from __future__ import annotations

from abc import ABC, abstractmethod

from cachemw_policies.semantic import Candidate

from cachemw.stores.base import Vector


class VectorIndex(ABC):
    """Nearest neighbours by cosine among L2-normalised vectors of one dimension.

    Not thread-safe: its owner calls one method at a time. A search after `add` finds what was
    added, a search after `remove` does not find what was removed.
    """

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of live vectors."""

    @abstractmethod
    def add(self, key: bytes, vector: Vector) -> None:
        """Insert, or replace the vector under `key`. `vector` has shape [dimension]."""

    @abstractmethod
    def remove(self, key: bytes) -> bool:
        """Remove a key; returns whether it was there."""

    @abstractmethod
    def search(self, vector: Vector, k: int) -> list[Candidate]:
        """Return up to `k` nearest, most similar first; fewer where there are fewer."""
