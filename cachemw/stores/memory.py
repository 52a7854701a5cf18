"""Documents in this process's memory: for tests, demos and deployments that want no file."""

from __future__ import annotations

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from cachemw.errors import StoreUnavailable
from cachemw.stores.base import (
    ChangeBatch,
    Document,
    DocumentStore,
    EntryInfo,
    IndexRow,
    StoreStats,
)
from cachemw.stores.evidence import DEFAULT_BOUNDS, Evidence, EvidenceBounds
from cachemw.stores.memory_evidence import MemoryEvidence

#: What an entry costs besides its text: dataclass, dict slot, heap slot, key. Measured with
#: tracemalloc on CPython 3.11 with distinct strings (1127 bytes with an embedding), and rounded up.
_ENTRY_OVERHEAD = 1280
_BATCH = 256
_CURSOR = "memory"


@dataclass(frozen=True, slots=True)
class _Entry:
    document: Document
    size: int
    #: Rises with every `put`: orders entries by age and tells stale heap slots from live ones.
    serial: int


class MemoryStore(DocumentStore):
    """A bounded dictionary.

    Over `max_bytes`, what has expired goes first, then what was least recently used.
    `clock` returns Unix seconds. A document larger than `max_bytes` raises `StoreUnavailable`:
    making room for it would empty the store.
    """

    durable = False

    def __init__(self, clock: Callable[[], float], max_bytes: int) -> None:
        self._clock = clock
        self._max_bytes = max_bytes
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._expiries: list[tuple[float, int, bytes]] = []
        self._bytes = 0
        self._serial = 0

    async def start(self) -> None:
        """Nothing to open."""

    async def get(self, key: bytes) -> Document | None:
        """Return the document under `key`, or None if there is none or it has expired."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.document.expires_at <= self._clock():
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry.document

    async def put(self, document: Document) -> None:
        """Insert or replace the document; evicts others until the store fits its bound."""
        size = _size(document)
        if size > self._max_bytes:
            msg = f"document of {size} bytes, the store holds {self._max_bytes}"
            raise StoreUnavailable(msg)
        self._drop(document.key)
        self._serial += 1
        self._entries[document.key] = _Entry(document, size, self._serial)
        self._bytes += size
        heapq.heappush(self._expiries, (document.expires_at, self._serial, document.key))
        if self._bytes > self._max_bytes:
            self._drop_expired()
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))
        self._compact_expiries()

    async def delete(self, key: bytes) -> bool:
        """Remove the document; returns whether there was one."""
        return self._drop(key)

    async def get_many(self, keys: Sequence[bytes]) -> list[Document]:
        """Return the live documents among `keys`, in their order."""
        found = [await self.get(key) for key in keys]
        return [document for document in found if document is not None]

    async def delete_many(self, keys: Sequence[bytes]) -> int:
        """Remove documents; returns how many there were."""
        return sum(self._drop(key) for key in keys)

    async def entries(self) -> AsyncIterator[list[EntryInfo]]:
        """Yield what is known of every live document, oldest first, in batches."""
        for batch in self._batches():
            if infos := [EntryInfo.of(entry.document, entry.size) for entry in batch]:
                yield infos
            await asyncio.sleep(0)

    async def entries_of(self, keys: Sequence[bytes]) -> list[EntryInfo]:
        """Return what is known of the live documents among `keys`."""
        now = self._clock()
        found = [self._entries[key] for key in keys if key in self._entries]
        return [EntryInfo.of(e.document, e.size) for e in found if e.document.expires_at > now]

    async def newest(self) -> str:
        """Return a cursor; there is no log, as nobody else can change anything."""
        return _CURSOR

    async def changes(self, after: str, limit: int) -> ChangeBatch:  # noqa: ARG002
        """Return no changes; a cursor that is not from here is incomplete, as in any store."""
        return ChangeBatch((), _CURSOR, complete=after == _CURSOR)

    async def rows_of(self, keys: Sequence[bytes], fingerprint: str) -> list[IndexRow]:
        """Return the index rows of those `keys` that are live and have `fingerprint`."""
        return _rows(await self.get_many(keys), fingerprint)

    async def index_rows(self, fingerprint: str) -> AsyncIterator[list[IndexRow]]:
        """Yield live rows embedded with `fingerprint`, oldest first, in batches."""
        for batch in self._batches():
            if rows := _rows((entry.document for entry in batch), fingerprint):
                yield rows
            await asyncio.sleep(0)

    async def remove_expired(self) -> int:
        """Remove what has expired; returns how many documents went."""
        return self._drop_expired()

    async def stats(self) -> StoreStats:
        """Return the size of the store; nothing is compressed here."""
        return StoreStats(len(self._entries), self._bytes, self._bytes)

    def evidence(self, bounds: EvidenceBounds = DEFAULT_BOUNDS) -> Evidence:
        """Return evidence that ends with this process; each call another."""
        return MemoryEvidence(self._clock, bounds)

    async def aclose(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._expiries.clear()
        self._bytes = 0

    def _batches(self) -> Iterator[list[_Entry]]:
        """Yield what was there at first and still is when its batch comes, oldest first."""
        entries = sorted(self._entries.values(), key=lambda entry: entry.serial)
        for start in range(0, len(entries), _BATCH):
            now = self._clock()
            yield [
                entry
                for entry in entries[start : start + _BATCH]
                if entry.document.expires_at > now
                and self._entries.get(entry.document.key) is entry
            ]

    def _drop(self, key: bytes) -> bool:
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        self._bytes -= entry.size
        return True

    def _drop_expired(self) -> int:
        now = self._clock()
        dropped = 0
        while self._expiries and self._expiries[0][0] <= now:
            _, serial, key = heapq.heappop(self._expiries)
            entry = self._entries.get(key)
            if entry is not None and entry.serial == serial:
                dropped += self._drop(key)
        return dropped

    def _compact_expiries(self) -> None:
        """Rebuild the heap when most of its slots are stale.

        Replacing one key for ever would otherwise grow it without bound.
        """
        if len(self._expiries) > 2 * len(self._entries) + 64:
            self._expiries = [
                (entry.document.expires_at, entry.serial, key)
                for key, entry in self._entries.items()
            ]
            heapq.heapify(self._expiries)


def _rows(documents: Iterable[Document], fingerprint: str) -> list[IndexRow]:
    return [
        IndexRow(document.key, document.expires_at, embedded)
        for document in documents
        if (embedded := document.embedded) is not None and embedded.fingerprint == fingerprint
    ]


def _size(document: Document) -> int:
    vector = 0 if document.embedded is None else document.embedded.vector.nbytes
    text = len(document.body) + len(document.prompt.encode("utf-8", "surrogatepass"))
    return text + vector + _ENTRY_OVERHEAD
