"""Names of keys, and the scripts that change several of them in one step.

    <namespace>:{a7}:d:<hex>   hash     a document whose key begins with a7 (see redis_rows)
    <namespace>:{a7}:x         zset     keys of the documents of this shard, by expires_at
    <namespace>:{a7}:l:<hex>   string   lease on the document's key: the holder's token
    <namespace>:{log}:changes  stream   the change log
    <namespace>:{log}:store    string   id of the store: another one after it was flushed

A cluster assigns keys to servers by what stands in braces, so a shard is never divided. The zset
counts and lists a shard without a scan of all keys. Documents and leases end by themselves: Redis
may remove documents under a `volatile-*` policy, and never the zset or the log.

The time to live is sent as a duration, the document's end minus the clock of the process that
writes. Were it sent as a point in time, a Redis whose clock is ahead would drop documents at once.
Whether a document may be served is decided by its own `expires_at` and the reader's clock; the time
to live only makes room.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cachemw.stores.redis_servers import Command, Script

SHARDS = tuple(range(256))

#: Ten years: Redis refuses what does not fit its clock, and keys without an end are never evicted.
_LONGEST_MS = 10 * 366 * 86_400_000

#: KEYS document, index, [log]; ARGV document, info, embedding, milliseconds to live, end, key, size
#: of the log, origin.
PUT = Script("""
redis.call('HSET', KEYS[1], 'd', ARGV[1], 'm', ARGV[2], 'e', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[6])
if KEYS[3] then
    redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[7], '*', 'put', ARGV[8], 'k', ARGV[6])
end
return 1
""")

#: KEYS index, documents; ARGV keys. Returns how many there were.
REMOVE = Script("""
local there = 0
for n = 2, #KEYS do
    there = there + redis.call('UNLINK', KEYS[n])
    redis.call('ZREM', KEYS[1], ARGV[n - 1])
end
return there
""")

#: KEYS index, documents; ARGV now, keys. Returns how many went; asks again, as others sweep too.
REMOVE_EXPIRED = Script("""
local gone = 0
for n = 2, #KEYS do
    local ends = redis.call('ZSCORE', KEYS[1], ARGV[n])
    if ends and tonumber(ends) <= tonumber(ARGV[1]) then
        redis.call('ZREM', KEYS[1], ARGV[n])
        redis.call('UNLINK', KEYS[n])
        gone = gone + 1
    end
end
return gone
""")

#: KEYS index, documents; ARGV keys. Takes those out of the index that Redis has evicted.
FORGET_EVICTED = Script("""
for n = 2, #KEYS do
    if redis.call('EXISTS', KEYS[n]) == 0 then
        redis.call('ZREM', KEYS[1], ARGV[n - 1])
    end
end
return 1
""")

#: KEYS index; ARGV key and end of the last one seen, where to go on if it has gone, how many.
PAGE = Script("""
local first
if redis.call('ZSCORE', KEYS[1], ARGV[1]) == ARGV[2] then
    first = redis.call('ZRANK', KEYS[1], ARGV[1]) + 1
else
    first = redis.call('ZCOUNT', KEYS[1], '-inf', ARGV[3])
end
return redis.call('ZRANGE', KEYS[1], first, first + ARGV[4] - 1, 'WITHSCORES')
""")

#: KEYS log; ARGV its size, what happened, origin, keys. Trims first: where maxmemory is reached a
#: script that has begun to write may go on, and just then what is removed has to be told of.
RECORD = Script("""
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[1])
local fields = {ARGV[2], ARGV[3]}
for n = 4, #ARGV do
    fields[#fields + 1] = 'k'
    fields[#fields + 1] = ARGV[n]
end
return redis.call('XADD', KEYS[1], '*', unpack(fields))
""")

#: KEYS log, id; ARGV a new id. Returns the id and the newest record's, making both where absent.
NEWEST = Script("""
local id = redis.call('GET', KEYS[2])
if not id then
    id = ARGV[1]
    redis.call('SET', KEYS[2], id)
end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if #last > 0 then
    return {id, last[1][1]}
end
return {id, redis.call('XADD', KEYS[1], '*', 'start', '')}
""")

#: KEYS lease; ARGV token, milliseconds.
RENEW = Script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
""")

#: KEYS lease; ARGV token.
RELEASE = Script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('DEL', KEYS[1])
end
return 0
""")


@dataclass(frozen=True, slots=True)
class Layout:
    """The names of keys in a namespace."""

    namespace: str

    def document(self, key: bytes) -> bytes:
        """Return where the document lies."""
        return f"{self.namespace}:{{{key[:1].hex()}}}:d:{key.hex()}".encode()

    def lease(self, key: bytes) -> bytes:
        """Return where the lease on a document's key lies."""
        return f"{self.namespace}:{{{key[:1].hex()}}}:l:{key.hex()}".encode()

    def index(self, shard: int) -> bytes:
        """Return where the keys of a shard lie."""
        return f"{self.namespace}:{{{shard:02x}}}:x".encode()

    def of_shard(
        self, script: Script, shard: int, keys: Sequence[bytes], *arguments: bytes | str
    ) -> Command:
        """Return a call of `script` for the documents `keys` of a shard."""
        names = [self.index(shard), *map(self.document, keys)]
        return Command.of_script(script, names, *arguments, *keys)

    @property
    def log(self) -> bytes:
        """Where the change log lies."""
        return f"{self.namespace}:{{log}}:changes".encode()

    @property
    def store_id(self) -> bytes:
        """Where the id of the store lies."""
        return f"{self.namespace}:{{log}}:store".encode()


def shard_of(key: bytes) -> int:
    """Return the shard of a document's key, which is never empty."""
    return key[0]


def time_to_live_ms(expires_at: float, now: float) -> int:
    """Return the milliseconds from `now` to `expires_at` (Unix seconds): 1 to ten years."""
    return math.ceil(min(max(1000 * (expires_at - now), 1), _LONGEST_MS))
