"""Labels and served hits in Redis.

    <namespace>:{evidence}:labels   stream   labels, one a record, in the field `l`
    <namespace>:{evidence}:b:<hex>  string   a batch of labels has been written
    <namespace>:{a7}:s:<hex>        string   a served hit, by the hash of its tenant and id

The stream is bounded and never evicted; the others end by themselves. How many hits are kept is
bounded by their time alone, and by Redis' `maxmemory` with a `volatile-*` policy. A cursor is the
id of a record. Ids rise with Redis' clock, also after a flush; where they do not, the newest is
before the cursor, and it is known for another log's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from cachemw_policies.labels import Label

from cachemw.stores.evidence import Evidence, EvidenceBounds, LabelBatch, Served
from cachemw.stores.evidence_rows import (
    CorruptEvidence,
    OtherVersion,
    decode_labels,
    decode_served,
    encode_label,
    encode_served,
    served_key,
)
from cachemw.stores.redis_servers import Command, Script, Servers, deadline_in
from cachemw.stores.redis_writes import Writes

#: Commands in one go.
_BATCH = 256
#: How long a batch may come again, in milliseconds.
_REPEATED_MS = 3_600_000

_RECORD_ID = re.compile(r"([0-9]{1,20})-([0-9]{1,20})", re.ASCII)

#: KEYS labels, batch; ARGV how many to keep, how long to know the batch, labels. Trims first: where
#: maxmemory is reached a script that has begun to write may go on, and all are written or none.
APPEND = Script("""
if redis.call('EXISTS', KEYS[2]) == 1 then
    return 0
end
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[1])
for n = 3, #ARGV do
    redis.call('XADD', KEYS[1], '*', 'l', ARGV[n])
end
redis.call('SET', KEYS[2], '', 'PX', ARGV[2])
return 1
""")

#: KEYS hit. Returns and removes it: of all who ask, one gets it.
TAKE = Script("""
local hit = redis.call('GET', KEYS[1])
if hit then
    redis.call('DEL', KEYS[1])
end
return hit
""")


class RedisEvidence(Evidence):
    """Evidence of all processes on this Redis and namespace.

    `clock` returns Unix seconds. Every exchange answers or raises within `timeout_s`; `writes`
    counts those that are finished before the connections close.
    """

    def __init__(
        self,
        servers: Servers,
        namespace: str,
        writes: Writes,
        bounds: EvidenceBounds,
        *,
        clock: Callable[[], float],
        timeout_s: float,
    ) -> None:
        self._servers = servers
        self._namespace = namespace
        self._writes = writes
        self._bounds = bounds
        self._clock = clock
        self._timeout_s = timeout_s
        self._log = f"{namespace}:{{evidence}}:labels".encode()

    async def append(self, labels: Sequence[Label], batch: bytes) -> None:
        """Write labels, in one step."""
        rows = [encode_label(label) for label in labels]
        keys = [self._log, f"{self._namespace}:{{evidence}}:b:{batch.hex()}".encode()]
        kept = self._bounds.labels
        await self._write([Command.of_script(APPEND, keys, kept, _REPEATED_MS, *rows)])

    async def labels(self, after: str, limit: int) -> LabelBatch:
        """Return what is among up to `limit` records after the cursor."""
        cursor = _parsed(after)
        newest, records = await self._read(after if cursor else "-", limit)
        if cursor is not None and cursor > newest:
            cursor = None
            _, records = await self._read("-", limit)
        if records and records[0][0] == after.encode():
            del records[0]
        del records[limit:]
        found, damaged = decode_labels(_label(fields) for _, fields in records)
        self.damaged += damaged
        known = after if cursor else ""
        last = records[-1][0].decode() if records else known
        return LabelBatch(found, last, anew=known != after)

    async def remember(self, served: Sequence[Served]) -> None:
        """Note hits, some hundred in one go."""
        seconds = math.ceil(self._bounds.seconds)
        for start in range(0, len(served), _BATCH):
            commands = []
            for hit in served[start : start + _BATCH]:
                name = self._name(hit.answer_id, hit.tenant)
                commands.append(Command(name, ("SET", name, encode_served(hit), "EX", seconds)))
            await self._write(commands)

    async def take(self, answer_id: str, tenant: str) -> Served | None:
        """Return and forget a hit of `tenant`."""
        (data,) = await self._write([Command.of_script(TAKE, [self._name(answer_id, tenant)])])
        if data is None:
            return None
        try:
            hit = decode_served(data)
        except CorruptEvidence:
            self.damaged += 1
            return None
        except OtherVersion:
            return None
        return hit if hit.at > self._clock() - self._bounds.seconds else None

    async def _read(self, first: str, limit: int) -> tuple[tuple[int, int], list[Any]]:
        """Return the id of the newest record, and those from `first` on."""
        commands = [
            Command(self._log, ("XREVRANGE", self._log, "+", "-", "COUNT", 1)),
            # One more: the record of the cursor itself may be among them.
            Command(self._log, ("XRANGE", self._log, first, "+", "COUNT", limit + 1)),
        ]
        newest, records = await self._servers.run(commands, deadline_in(self._timeout_s))
        last = _parsed(newest[0][0].decode()) if newest else None
        return last or (0, 0), records

    async def _write(self, commands: Sequence[Command]) -> list[Any]:
        with self._writes.accept():
            return await self._servers.run(commands, deadline_in(self._timeout_s))

    def _name(self, answer_id: str, tenant: str) -> bytes:
        digest = served_key(answer_id, tenant).hex()
        return f"{self._namespace}:{{{digest[:2]}}}:s:{digest}".encode()


def _parsed(cursor: str) -> tuple[int, int] | None:
    """Return the two numbers of a record's id, of 64 bits each; None for anything else."""
    match = _RECORD_ID.fullmatch(cursor)
    if match is None:
        return None
    time, number = int(match[1]), int(match[2])
    return (time, number) if max(time, number) < 1 << 64 else None


def _label(fields: Sequence[Any]) -> object:
    return fields[1] if len(fields) == 2 else None
