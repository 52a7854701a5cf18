"""What a document store is: the one interface between the request path and stored answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from cachemw.stores.evidence import DEFAULT_BOUNDS, Evidence, EvidenceBounds
from cachemw.stores.leases import Leases, NoLeases

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
class EntryInfo:
    """What one may know of a document without reading it. `size` is in stored bytes."""

    key: bytes
    tenant: str
    endpoint: str
    model: str
    category: str
    tags: tuple[str, ...]
    created_at: float
    expires_at: float
    size: int

    @classmethod
    def of(cls, document: Document, size: int) -> EntryInfo:
        """Return what is known of `document`, stored in `size` bytes."""
        return cls(
            key=document.key,
            tenant=document.tenant,
            endpoint=document.endpoint,
            model=document.model,
            category=document.category,
            tags=document.tags,
            created_at=document.created_at,
            expires_at=document.expires_at,
            size=size,
        )


class ChangeKind(Enum):
    """What happened to documents."""

    PUT = "put"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Change:
    """One record of the change log: what happened to `keys`, and which process did it.

    Deleted and evicted documents are REMOVE; what merely expired is in no log: whoever keeps a copy
    knows when it ends.
    """

    kind: ChangeKind
    keys: tuple[bytes, ...]
    origin: str


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """Changes in the order in which they were committed, and the cursor to go on from.

    `complete` is False where changes after the cursor asked for have been forgotten, or the store
    is another one than the cursor came from: a reader then has to compare itself with the store.
    """

    changes: tuple[Change, ...]
    cursor: str
    complete: bool = True


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

    #: Whether documents outlive the process, and are shared by all that open the store. One that
    #: is not durable has one process, and no change log.
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
        """Insert or replace the document under `document.key`, and log the change."""

    @abstractmethod
    async def delete(self, key: bytes) -> bool:
        """Remove the document, and log the change; returns whether there was one.

        The change is logged in any case: where the store has none, a process may have a copy.
        """

    @abstractmethod
    async def get_many(self, keys: Sequence[bytes]) -> list[Document]:
        """Return the live documents among `keys`, in their order."""

    @abstractmethod
    async def delete_many(self, keys: Sequence[bytes]) -> int:
        """Remove documents, in bounded steps; returns how many there were.

        A step is one transaction and one change of up to some hundred keys, logged in any case. An
        error leaves what the steps before it did.
        """

    @abstractmethod
    def entries(self) -> AsyncIterator[list[EntryInfo]]:
        """Yield, in batches, what is known of every live document.

        What is put or removed meanwhile may or may not be among it; nothing is yielded twice.
        """

    @abstractmethod
    async def entries_of(self, keys: Sequence[bytes]) -> list[EntryInfo]:
        """Return what is known of the live documents among `keys`."""

    @abstractmethod
    async def newest(self) -> str:
        """Return the cursor after the newest change: where one begins to follow the log."""

    @abstractmethod
    async def changes(self, after: str, limit: int) -> ChangeBatch:
        """Return up to `limit` changes that were committed after the cursor `after`.

        Returns at once, with none where there are none. Cursors are opaque texts and outlive the
        process; one of another store, or older than the log reaches, makes an incomplete batch.
        """

    @abstractmethod
    async def rows_of(self, keys: Sequence[bytes], fingerprint: str) -> list[IndexRow]:
        """Return the index rows of those `keys` that are live and have `fingerprint`."""

    @abstractmethod
    def index_rows(self, fingerprint: str) -> AsyncIterator[list[IndexRow]]:
        """Yield, in batches, oldest first as far as known, all live rows with `fingerprint`."""

    @abstractmethod
    async def remove_expired(self) -> int:
        """Remove what has expired; returns how many documents went."""

    @abstractmethod
    async def stats(self) -> StoreStats:
        """Return the size of the store."""

    @abstractmethod
    def evidence(self, bounds: EvidenceBounds = DEFAULT_BOUNDS) -> Evidence:
        """Return what the store keeps of labels and served hits; once for each process."""

    def leases(self, seconds: float) -> Leases:  # noqa: ARG002 - for stores that can ask others
        """Return leases of `seconds` shared by all processes on this store, if it has any."""
        return NoLeases()

    @abstractmethod
    async def aclose(self) -> None:
        """Finish what was accepted, then close."""
