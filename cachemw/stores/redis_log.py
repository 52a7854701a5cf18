"""The change log: one Redis Stream.

A cursor is "<id of the store>:<id of a record>". Changes are complete if the record of the cursor
is still in the stream: it has not been trimmed, so neither has any after it. A store that was
flushed, or another one, has another id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cachemw.stores.base import Change, ChangeBatch, ChangeKind
from cachemw.stores.redis_layout import NEWEST, RECORD, Layout
from cachemw.stores.redis_servers import Command, Servers


class RedisLog:
    """Writes changes as `origin`'s, and reads everyone's. About `kept` records stay.

    `new_id` names a store that has no id yet.
    """

    def __init__(
        self,
        servers: Servers,
        layout: Layout,
        *,
        origin: str,
        kept: int,
        new_id: Callable[[], str],
    ) -> None:
        self._servers = servers
        self._layout = layout
        self._new_id = new_id
        self.origin = origin.encode()
        self.kept = kept

    def record(self, kind: ChangeKind, keys: Sequence[bytes]) -> Command:
        """Return the command that logs a change."""
        log = [self._layout.log]
        return Command.of_script(RECORD, log, self.kept, kind.value, self.origin, *keys)

    async def newest(self, deadline: float) -> str:
        """Return the cursor after the newest change; begins the log where there is none."""
        keys = [self._layout.log, self._layout.store_id]
        command = Command.of_script(NEWEST, keys, self._new_id())
        ((store, record),) = await self._servers.run([command], deadline)
        return _cursor(store, record)

    async def changes(self, after: str, limit: int, deadline: float) -> ChangeBatch:
        """Return up to `limit` changes after the cursor `after`."""
        store, _, record = after.partition(":")
        batch = await self._read(store, record, limit, deadline) if _is_record(record) else None
        return batch or ChangeBatch((), await self.newest(deadline), complete=False)

    async def _read(
        self, store: str, record: str, limit: int, deadline: float
    ) -> ChangeBatch | None:
        """Return the changes, or None where they are not all known any more."""
        log = self._layout.log
        which = Command(log, ("GET", self._layout.store_id))
        # One more, as the record of the cursor itself has to be among them.
        read = Command(log, ("XRANGE", log, record, "+", "COUNT", limit + 1))
        present, records = await self._servers.run([which, read], deadline)
        if present != store.encode() or not records or records[0][0] != record.encode():
            return None
        changes = tuple(change for _, fields in records[1:] if (change := _change(fields)))
        return ChangeBatch(changes, _cursor(present, records[-1][0]))


def _cursor(store: bytes, record: bytes) -> str:
    return f"{store.decode()}:{record.decode()}"


def _is_record(text: str) -> bool:
    """Return whether Redis takes `text` for the id of a record: two numbers of 64 bits."""
    parts = text.split("-")
    return len(parts) == 2 and all(
        part.isascii() and part.isdigit() and len(part) <= 20 and int(part) < 1 << 64
        for part in parts
    )


def _change(fields: Sequence[Any]) -> Change | None:
    """Return the change in a record's fields; None for the record that begins the log."""
    name, origin, *rest = fields
    kinds = {kind.value.encode(): kind for kind in ChangeKind}
    kind = kinds.get(name)
    return None if kind is None else Change(kind, tuple(rest[1::2]), origin.decode())
