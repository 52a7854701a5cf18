"""The exact tier: a bytes-bounded LRU in this process over the document store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from cachemw_policies.freshness import Freshness

from cachemw.errors import StoreUnavailable
from cachemw.http.messages import JSON_TYPE, Header, header_value
from cachemw.lru import ByteLru
from cachemw.metrics import Metrics
from cachemw.states import DependencyState
from cachemw.stores.base import Document, DocumentStore

# What a document takes in memory beside its texts: the objects that hold it, measured roughly.
_OVERHEAD_BYTES = 2048


@dataclass(frozen=True, slots=True)
class Resident:
    """A document in memory with the reply headers that are the same on every hit."""

    document: Document
    headers: tuple[Header, ...]


class Miss(Enum):
    """Why there is nothing to serve: no such document, none young enough, or the store failed."""

    ABSENT = auto()
    TOO_OLD = auto()
    UNKNOWN = auto()


class Fresh(Protocol):
    """Weighs how old a document is."""

    def __call__(
        self, document: Document, now: float, load: float, max_age: float | None = None
    ) -> Freshness:
        """Return its age and how long it may be served yet, under `load` in [0, 1]."""


class Watcher(Protocol):
    """Who has to know what the store holds: quotas/follow.py."""

    async def stored(self, document: Document, saved: float) -> None:
        """Note one's own document; a hit saves `saved` seconds. May raise StoreUnavailable."""

    def met(self, document: Document) -> None:
        """Note a document that was read: what it saves may not be known yet."""


class ExactTier:
    """Finds, keeps and removes documents by exact key.

    A store that fails or is late makes a miss; the state of the store is logged when it changes.
    """

    def __init__(
        self,
        lru: ByteLru[Resident],
        store: DocumentStore,
        state: DependencyState,
        metrics: Metrics,
        clock: Callable[[], float],
        fresh: Fresh,
        watcher: Watcher,
    ) -> None:
        self._lru = lru
        self._watcher = watcher
        self._fresh = fresh
        self._store = store
        self._state = state
        self._metrics = metrics
        self._clock = clock
        self._reading: set[bytes] = set()

    async def find(
        self, key: bytes, max_age: float | None = None, load: float = 0.0
    ) -> Resident | Miss:
        """Return the document under `key` if it may be served: LRU first, then the store."""
        resident = self._lru.get(key)
        if resident is None:
            try:
                resident = await self._read(key)
            except StoreUnavailable as error:
                self._failed("get", error)
                return Miss.UNKNOWN
            if resident is None:
                return Miss.ABSENT
        document = resident.document
        now = self._clock()
        if self._fresh(document, now, load, max_age).servable:
            return resident
        if now < document.expires_at:
            return Miss.TOO_OLD
        self._lru.remove(key)
        return Miss.ABSENT

    async def find_all(self, keys: Sequence[bytes]) -> list[Resident | Miss]:
        """Return the documents under `keys`, in their order and whatever their age.

        What is not in memory is read from the store at once.
        """
        residents = {key: self._lru.get(key) for key in keys}
        missing = [key for key, resident in residents.items() if resident is None]
        failed = False
        if missing:
            try:
                residents.update(await self._read_all(missing))
            except StoreUnavailable as error:
                self._failed("get", error)
                failed = True
        nothing = Miss.UNKNOWN if failed else Miss.ABSENT
        return [residents[key] or nothing for key in keys]

    async def put(self, document: Document) -> bool:
        """Keep a document; returns whether the store has it too (durably, where it can)."""
        self._keep(Resident(document, _fixed_headers(document)))
        try:
            await self._store.put(document)
            await self._watcher.stored(document, document.upstream_seconds)
        except StoreUnavailable as error:
            self._failed("put", error)
            return False
        self._state.up("put")
        return True

    async def remove(self, key: bytes) -> None:
        """Remove a document from the store and from memory."""
        try:
            await self._store.delete(key)
        except StoreUnavailable as error:
            self._failed("delete", error)
        else:
            self._state.up("delete")
        self.forget([key])

    def forget(self, keys: Iterable[bytes]) -> None:
        """Drop documents from memory: the store no longer has them, or has newer ones."""
        for key in keys:
            self._lru.remove(key)
            self._reading.discard(key)

    def forget_all(self) -> None:
        """Drop all documents from memory."""
        self._lru.clear()
        self._reading.clear()

    async def _read(self, key: bytes) -> Resident | None:
        """Read the store; what was removed meanwhile must not come back to memory through here."""
        self._reading.add(key)
        try:
            with self._metrics.stage("store_get"):
                document = await self._store.get(key)
            still_there = key in self._reading
        finally:
            self._reading.discard(key)
        self._state.up("get")
        if document is None:
            return None
        self._watcher.met(document)
        resident = Resident(document, _fixed_headers(document))
        if still_there:
            self._keep(resident)
        return resident

    async def _read_all(self, keys: Sequence[bytes]) -> dict[bytes, Resident | None]:
        """Read several as `_read` reads one."""
        if len(keys) == 1:
            return {keys[0]: await self._read(keys[0])}
        self._reading.update(keys)
        try:
            with self._metrics.stage("store_get"):
                documents = await self._store.get_many(keys)
            still_there = self._reading.intersection(keys)
        finally:
            self._reading.difference_update(keys)
        self._state.up("get")
        found: dict[bytes, Resident | None] = {}
        for document in documents:
            self._watcher.met(document)
            resident = found[document.key] = Resident(document, _fixed_headers(document))
            if document.key in still_there:
                self._keep(resident)
        return found

    def _failed(self, operation: str, error: StoreUnavailable) -> None:
        self._state.down(type(error).__name__, operation)
        self._metrics.store_failures.labels(operation).inc()

    def _keep(self, resident: Resident) -> None:
        document = resident.document
        size = len(document.body) + len(document.prompt) + _OVERHEAD_BYTES
        if document.embedded is not None:
            size += document.embedded.vector.nbytes
        self._lru.put(document.key, resident, size)


def _fixed_headers(document: Document) -> tuple[Header, ...]:
    return (
        JSON_TYPE,
        (b"x-cachemw-entry", document.key.hex().encode()),
        (b"x-cachemw-model", header_value(document.model)),
        (b"x-cachemw-category", header_value(document.category)),
    )
