"""The document stores by name. A new one takes one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from cachemw.errors import ConfigError
from cachemw.stores.base import DocumentStore
from cachemw.stores.codec import DocumentCodec, shipped_dictionary
from cachemw.stores.memory import MemoryStore
from cachemw.stores.redis import make_redis_store
from cachemw.stores.settings import StoreSettings
from cachemw.stores.sqlite import SqliteStore

#: Unix seconds.
Clock = Callable[[], float]
#: Called with the key of every damaged document met.
OnCorrupt = Callable[[bytes], None]
StoreFactory = Callable[[StoreSettings, Clock, OnCorrupt], DocumentStore]


def make_store(settings: StoreSettings, clock: Clock, on_corrupt: OnCorrupt) -> DocumentStore:
    """Return the store that `settings.kind` names, not yet started; raises `ConfigError`."""
    factory = STORES.get(settings.kind)
    if factory is None:
        msg = f"store.kind: {settings.kind!r} is not one of {', '.join(sorted(STORES))}"
        raise ConfigError(msg)
    return factory(settings, clock, on_corrupt)


def _memory(settings: StoreSettings, clock: Clock, _on_corrupt: OnCorrupt) -> DocumentStore:
    return MemoryStore(clock, settings.max_bytes)


def _sqlite(settings: StoreSettings, clock: Clock, on_corrupt: OnCorrupt) -> DocumentStore:
    codec = DocumentCodec(
        shipped_dictionary(),
        level=settings.compression_level,
        max_bytes=settings.max_document_bytes,
    )
    return SqliteStore(settings, codec=codec, clock=clock, on_corrupt=on_corrupt)


STORES: Mapping[str, StoreFactory] = MappingProxyType(
    {"memory": _memory, "sqlite": _sqlite, "redis": make_redis_store}
)
