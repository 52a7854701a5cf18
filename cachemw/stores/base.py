"""What a document store is: the one interface between the request path and stored answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """Where an answer stands in the semantic index.

    `partition` is the compatibility key (32 bytes), `vector` the L2-normalised embedding of the
    last user text, shape [dimension], and `fingerprint` the embedder that made it: vectors of
    different fingerprints are never compared. Equal if all three are, number by number.
    """

    partition: bytes
    fingerprint: str
    vector: Vector

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Embedded):
            return NotImplemented
        return (
            self.partition == other.partition
            and self.fingerprint == other.fingerprint
            and np.array_equal(self.vector, other.vector)
        )

    def __hash__(self) -> int:
        # Without the vector: arrays have no hash, and equal embeddings have these two in common.
        return hash((self.partition, self.fingerprint))


@dataclass(frozen=True, slots=True)
class Document:
    """One stored answer. Times are Unix seconds, durations seconds.

    `body` is the complete non-streaming answer as JSON; `prompt` the last user text (empty where
    the request has none), kept because verifying a semantic hit needs both questions.
    `created_at` is when the answer was generated: `Age` and TTL count from it.
    """

    key: bytes
    tenant: str
    endpoint: str
    model: str
    created_at: float
    expires_at: float
    prompt: str
    body: bytes
    upstream_seconds: float
    prompt_tokens: int
    completion_tokens: int
    tags: tuple[str, ...] = ()
    category: str = "default"
    embedded: Embedded | None = None


@dataclass(frozen=True, slots=True)
class IndexRow:
    """What the index needs of a document to be rebuilt: no body, no prompt."""

    key: bytes
    expires_at: float
    embedded: Embedded


@dataclass(frozen=True, slots=True)
class StoreStats:
    """Size of the store: documents, bytes of document data before and after compression."""

    entries: int
    raw_bytes: int
    stored_bytes: int


class DocumentStore(ABC):
    """Keyed documents with an expiry.

    Every method may raise `StoreUnavailable`, `start` also `ConfigError`, and nothing else. A
    store never blocks the event loop and answers, or raises, within its configured time limit;
    `start` and `aclose` have limits of their own. After `put` returns, the document survives the
    death of this process (where the store is durable at all).
    """

    durable: bool = True

    @abstractmethod
    async def start(self) -> None:
        """Open; called once, before anything else.

        Raises `ConfigError` for settings that can never be used, `StoreUnavailable` where
        opening fails for now.
        """

    @abstractmethod
    async def get(self, key: bytes) -> Document | None:
        """Return the document under `key`, or None if there is none or it has expired."""

    @abstractmethod
    async def put(self, document: Document) -> None:
        """Insert or replace the document under `document.key`."""

    @abstractmethod
    async def delete(self, key: bytes) -> bool:
        """Remove the document; returns whether there was one."""

    @abstractmethod
    def index_rows(self, fingerprint: str) -> AsyncIterator[list[IndexRow]]:
        """Yield, in batches and oldest first, all live rows embedded with `fingerprint`."""

    @abstractmethod
    async def remove_expired(self) -> int:
        """Remove what has expired; returns how many documents went."""

    @abstractmethod
    async def stats(self) -> StoreStats:
        """Return the size of the store."""

    @abstractmethod
    async def aclose(self) -> None:
        """Finish what was accepted, then close."""
