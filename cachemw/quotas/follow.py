"""Keeping a ledger like its store: filled once, then by the change log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from cachemw.quotas.ledger import Ledger
from cachemw.stores.base import Document, EntryInfo

#: Until the log tells the exact size: bytes of a row beside its texts, and how far those shrink.
_ROW_BYTES = 200
_COMPRESSED = 3


class Told(Protocol):
    """A store that tells what is known of documents; both may raise `StoreUnavailable`.

    One that is not durable has no log.
    """

    durable: bool

    def entries(self) -> AsyncIterator[list[EntryInfo]]:
        """Yield, in batches, what is known of every live document."""

    async def entries_of(self, keys: Sequence[bytes]) -> list[EntryInfo]:
        """Return what is known of the live documents among `keys`."""


class Follower:
    """Keeps `ledger` like `store`. What expires it is told by nobody: see `Ledger.expired`."""

    def __init__(self, ledger: Ledger, store: Told) -> None:
        self._ledger = ledger
        self._store = store
        self._filled = False

    @property
    def filled(self) -> bool:
        """Whether the ledger knows all that the store holds."""
        return self._filled

    async def fill(self) -> None:
        """Compare the ledger with the store, entry by entry. Raises `StoreUnavailable`."""
        self._ledger.begin_scan()
        async for infos in self._store.entries():
            for info in infos:
                self._ledger.put(info)
            await asyncio.sleep(0)
        for keys in self._ledger.untold():
            self._ledger.removed(keys)
            await asyncio.sleep(0)
        self._filled = True

    def outdated(self) -> None:
        """Have the ledger filled anew: changes have been missed."""
        self._filled = False

    def removed(self, keys: Sequence[bytes]) -> None:
        """Note what the change log says to have been removed."""
        self._ledger.removed(keys)

    async def stored(self, document: Document, saved: float) -> None:
        """Note one's own document at once; a hit on it saves `saved` seconds."""
        self._ledger.put(EntryInfo.of(document, _rough_size(document)), saved)
        if not self._store.durable:
            await self.put([document.key])

    def met(self, document: Document) -> None:
        """Note what a hit saves on a document that was read: of one that another process made."""
        self._ledger.learn(document.key, document.upstream_seconds)

    async def put(self, keys: Sequence[bytes]) -> None:
        """Note what the change log says to have been put, by whom ever: its exact size."""
        for info in await self._store.entries_of(keys):
            self._ledger.put(info)


def _rough_size(document: Document) -> int:
    vector = 0 if document.embedded is None else document.embedded.vector.nbytes
    return _ROW_BYTES + vector + (len(document.prompt) + len(document.body)) // _COMPRESSED
