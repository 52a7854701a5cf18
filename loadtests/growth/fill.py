"""Fills a store through its own `put`, and says what that cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from cachemw.errors import StoreUnavailable
from cachemw.stores.base import Document, DocumentStore
from cachemw.stores.settings import StoreSettings
from cachemw.stores.table import make_store
from loadtests.growth.corpus import Corpus

_AT_ONCE = 256
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Filled:
    """What filling cost: seconds of the puts alone, and of CPU in all, for so many entries."""

    entries: int
    put_s: float


async def fill(
    settings: StoreSettings,
    corpus: Corpus,
    entries: int,
    shape: str,
    said: Callable[[int], None],
) -> Filled:
    """Put the first `entries` of the corpus into a store; `said` is told how far it is."""
    store = make_store(settings, time.time, lambda _: None)
    await store.start()
    put_s = 0.0
    try:
        documents = corpus.documents(0, entries, shape)
        done = 0
        while batch := list(islice(documents, _AT_ONCE)):
            began = time.perf_counter()
            await asyncio.gather(*(_put(store, document) for document in batch))
            put_s += time.perf_counter() - began
            done += len(batch)
            said(done)
    finally:
        await store.aclose()
    return Filled(entries, put_s)


async def _put(store: DocumentStore, document: Document) -> None:
    """Put one; a store that is behind is given time."""
    for _ in range(_TRIES):
        try:
            await store.put(document)
        except StoreUnavailable:
            await asyncio.sleep(0.2)
        else:
            return
    await store.put(document)
