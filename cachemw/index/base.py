"""What a vector index is: vectors and numbers only; keys and documents live elsewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from cachemw.stores.base import Vector


class Neighbour(NamedTuple):
    """An entry's number and its cosine similarity to what was searched for."""

    entry: int
    similarity: float


class VectorIndex(ABC):
    """Nearest neighbours by cosine among L2-normalised vectors of one dimension.

    Entries are numbers, chosen by the owner. Not thread-safe: the owner calls one method at a time.
    A search after `add` finds what was added, a search after `remove` does not find what was
    removed.
    """

    __slots__ = ()

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of live vectors."""

    @abstractmethod
    def __contains__(self, entry: int) -> bool:
        """Whether there is a vector under `entry`."""

    @abstractmethod
    def add(self, entry: int, vector: Vector) -> None:
        """Insert, or replace the vector under `entry`. `vector` has shape [dimension]."""

    @abstractmethod
    def remove(self, entry: int) -> bool:
        """Remove an entry; returns whether it was there."""

    @abstractmethod
    def search(self, vector: Vector, k: int) -> list[Neighbour]:
        """Return up to `k` nearest, most similar first; fewer where there are fewer."""
