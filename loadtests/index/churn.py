"""A partition that never rests: inserts, replacements, deletes and expiry, with lookups beside."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cachemw.index.partitions import IndexSettings, PartitionedIndex
from loadtests.index.live import Live
from loadtests.index.measure import TOP_K
from loadtests.index.pauses import Collections, PauseProbe, Pauses
from loadtests.index.vectors import DIMENSION
from loadtests.questions import Vectors
from loadtests.stats import Spread, spread

_PARTITION = b"partition"
_STORED_NOISE = 0.25
_ASKED_NOISE = 0.35
_REPLACED = 0.15
_DELETED = 0.1
_PURGED_SHARE = 1 / 40
_CHECKED = 200
_SWEEP = 64
_PACE = 0.005
_NEVER = 4e9
_PAGE_MIB = 4096 / 2**20


@dataclass(frozen=True, slots=True)
class Plan:
    """`live` vectors, replaced `turnovers` times; `rate` changes, `asked` lookups a second."""

    live: int
    turnovers: int
    rate: float
    asked: float
    idle_seconds: float = 10.0
    lookups: int = 1500


@dataclass(frozen=True, slots=True)
class Turnover:
    """One turnover: lookups beside it, and what there was at its end. Times in milliseconds."""

    seconds: float
    lookups: Spread
    still: Spread
    recall: float
    vectors: int
    tombstones: int
    builds: int
    rss_mib: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """All turnovers; lookups in fresh indexes of the first and the last content; pauses."""

    turnovers: Sequence[Turnover]
    fresh: Sequence[Spread]
    idle: Pauses
    busy: Pauses
    collector_ms: Sequence[float]


class Churn:
    """One partition of an index under a paced mix of changes. Time is counted in changes."""

    def __init__(self, plan: Plan, questions: Vectors, seed: int = 1) -> None:
        self._plan = plan
        self._questions = questions
        self._rng = np.random.default_rng(seed)
        self._live = Live()
        self._now = 0
        self._inserted = 0
        self.index = _index()
        self.doing = "nothing"

    async def run(self) -> Outcome:
        """Fill, churn, and compare with fresh indexes."""
        idle = await self._idle()
        await self._fill()
        # As the service does when it is ready: what is there by then is never garbage.
        gc.collect()
        gc.freeze()
        fresh = [spread(await self._lookups(self.index, self._plan.lookups))]
        collections, probe = Collections(), PauseProbe(self._under_way)
        turnovers = [await self._turnover(probe, n) for n in range(self._plan.turnovers)]
        collections.close()
        other = await self._copy()
        fresh.append(spread(await self._lookups(other, self._plan.lookups)))
        await other.aclose()
        await self.index.aclose()
        return Outcome(turnovers, fresh, idle, probe.pauses(), collections.longest)

    def _under_way(self) -> str:
        return f"{self.doing}, building" if self.index.stats().building else self.doing

    async def _idle(self) -> Pauses:
        probe = PauseProbe()
        probe.start()
        await asyncio.sleep(self._plan.idle_seconds)
        await probe.stop()
        return probe.pauses()

    async def _fill(self) -> None:
        for before in range(self._plan.live, 0, -1):
            self._now = -before
            await self._insert(b"key %d" % self._inserted)
        await self.index.settled()

    async def _turnover(self, probe: PauseProbe, number: int) -> Turnover:
        lookups: list[float] = []
        started = time.perf_counter()
        probe.start()
        asking = asyncio.create_task(self._ask(lookups))
        await self._purge_topic()
        await self._changes(self._plan.live * (number + 2))
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await probe.stop()
        seconds, recall = time.perf_counter() - started, await self._recall()
        await self.index.settled()
        still = await self._lookups(self.index, self._plan.lookups // 3)
        stats = self.index.stats()
        print(f"... turnover {number + 1}: {seconds:.1f} s, {stats}", file=sys.stderr, flush=True)
        return Turnover(
            seconds,
            spread(lookups),
            spread(still),
            recall,
            stats.vectors,
            stats.tombstones,
            stats.builds,
            _rss_mib(),
        )

    async def _changes(self, until: int) -> None:
        """Change at the plan's pace until `until` vectors have been inserted since the start."""
        began, done = time.perf_counter(), 0
        while self._inserted < until:
            while done < (time.perf_counter() - began) * self._plan.rate and self._inserted < until:
                await self._change()
                done += 1
            self.doing = "pacing"
            await asyncio.sleep(_PACE)

    async def _change(self) -> None:
        """One insert or replacement, now and then a delete, and what expires by then."""
        self._now += 1
        chance = self._rng.random()
        if chance < _REPLACED:
            await self._insert(self._random_key())
        else:
            await self._insert(b"key %d" % self._inserted)
        if chance > 1 - _DELETED:
            await self._remove(self._random_key())
        if self._now % _SWEEP == 0:
            self.doing = "expire"
            expired = self._live.expire(self._now)
            if await self.index.expire(self._now) != expired:
                raise RuntimeError("the index expired other entries than it should")

    async def _insert(self, key: bytes) -> None:
        self.doing = "insert"
        vector = self._near(_STORED_NOISE)
        # Deletes and replacements take their share, so that about `live` stay.
        expires_at = self._now + self._plan.live * self._rng.uniform(0.8, 1.6)
        self._inserted += 1
        self._live.put(key, vector, expires_at)
        await self.index.add(_PARTITION, key, vector, expires_at)

    async def _remove(self, key: bytes) -> None:
        self.doing = "delete"
        self._live.drop(key)
        await self.index.remove(key)

    async def _purge_topic(self) -> None:
        """Delete the nearest to one question: a hole that searches near it have to cross."""
        self.doing = "purge"
        count = int(self._plan.live * _PURGED_SHARE)
        for near in await self.index.search(_PARTITION, self._near(0.0), count):
            await self._remove(near.key)

    async def _ask(self, times: list[float]) -> None:
        """Look up at the plan's pace."""
        while True:
            times.append(await self._lookup(self.index))
            await asyncio.sleep(self._rng.exponential(1 / self._plan.asked))

    async def _lookups(self, index: PartitionedIndex, count: int) -> list[float]:
        """Look up `count` times while nothing else happens."""
        times = []
        for _ in range(count):
            times.append(await self._lookup(index))
            await asyncio.sleep(0.001)
        return times

    async def _lookup(self, index: PartitionedIndex) -> float:
        vector = self._near(_ASKED_NOISE)
        started = time.perf_counter()
        await index.search(_PARTITION, vector, TOP_K)
        return 1e3 * (time.perf_counter() - started)

    async def _recall(self) -> float:
        """Return for which share of lookups the nearest is as near as that of an exact scan."""
        queries = np.stack([self._near(_ASKED_NOISE) for _ in range(_CHECKED)])
        best = (queries @ np.stack(list(self._live.vectors.values())).T).max(axis=1)
        found = [(await self.index.search(_PARTITION, query, 1))[0] for query in queries]
        return float(np.mean([f.similarity >= b - 1e-5 for f, b in zip(found, best, strict=True)]))

    async def _copy(self) -> PartitionedIndex:
        """Return a fresh index of the same content."""
        index = _index()
        for key, vector in self._live.vectors.items():
            await index.add(_PARTITION, key, vector, _NEVER)
        await index.settled()
        return index

    def _near(self, noise: float) -> Vectors:
        """Return a vector near a random question."""
        question = self._questions[self._rng.integers(len(self._questions))]
        step = self._rng.standard_normal(DIMENSION, dtype=np.float32)
        moved = question + noise * step / np.linalg.norm(step)
        return np.asarray(moved / np.linalg.norm(moved), dtype=np.float32)

    def _random_key(self) -> bytes:
        return self._live.keys[self._rng.integers(len(self._live.keys))]


def _index() -> PartitionedIndex:
    return PartitionedIndex(DIMENSION, IndexSettings(search_timeout=10.0))


def _rss_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_MIB
