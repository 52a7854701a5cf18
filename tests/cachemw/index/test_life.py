"""Any history of the index against a plain model: nothing lost, nothing that was removed found."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cachemw.index.partitions import IndexSettings, PartitionedIndex
from cachemw.index.snapshot import load, save
from cachemw.stores.base import Vector

DIMENSION = 8
LIMIT = 60
SMALL = IndexSettings(switch_at=8, max_vectors=LIMIT, search_timeout=30.0, segment_size=20)
KEYS = st.integers(0, 90).map(lambda n: b"key %d" % n)
PARTITIONS = st.sampled_from([b"a", b"a", b"a", b"b", b"c"])


def vector(seed: int) -> Vector:
    drawn = np.random.default_rng(seed).standard_normal(DIMENSION).astype(np.float32)
    unit: Vector = drawn / np.linalg.norm(drawn)
    return unit


class Model:
    """The same as the index, in the plainest way: entries by partition, both oldest first."""

    def __init__(self) -> None:
        self.partitions: dict[bytes, dict[bytes, tuple[Vector, float]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self.partitions.values()))

    def keys(self) -> set[bytes]:
        return {key for entries in self.partitions.values() for key in entries}

    def use(self, partition: bytes) -> None:
        if partition in self.partitions:
            self.partitions[partition] = self.partitions.pop(partition)

    def add(self, partition: bytes, key: bytes, vector: Vector, expires_at: float) -> None:
        self.remove(key)
        self.partitions.setdefault(partition, {})[key] = vector, expires_at
        self.use(partition)
        while len(self) > LIMIT:
            oldest = next(iter(self.partitions.values()))
            self.remove(next(iter(oldest)))

    def remove(self, key: bytes) -> bool:
        for name, entries in list(self.partitions.items()):
            if key in entries:
                del entries[key]
                if not entries:
                    del self.partitions[name]
                return True
        return False

    def expire(self, now: float) -> int:
        ended = [
            key
            for entries in self.partitions.values()
            for key, (_, expires_at) in entries.items()
            if expires_at <= now
        ]
        return sum(map(self.remove, ended))


class Life(RuleBasedStateMachine):
    """The index on an event loop of its own, which turns as far as each rule says."""

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.index = PartitionedIndex(DIMENSION, SMALL)
        self.model = Model()
        self.seed = 0

    def run(self, call: Any) -> Any:
        return self.loop.run_until_complete(call)

    @rule(partition=PARTITIONS, keys=st.lists(KEYS, min_size=1, max_size=25), ttl=st.integers(1, 9))
    def add(self, partition: bytes, keys: list[bytes], ttl: int) -> None:
        for key in keys:
            self.seed += 1
            one = vector(self.seed)
            self.run(self.index.add(partition, key, one, float(ttl)))
            self.model.add(partition, key, one, float(ttl))

    @rule(keys=st.lists(KEYS, min_size=1, max_size=9), ttl=st.integers(1, 9))
    def renew(self, keys: list[bytes], ttl: int) -> None:
        """Add the same vector again: newest, with another end."""
        places = {k: p for p, entries in self.model.partitions.items() for k in entries}
        for key in keys:
            if key in places:
                one = self.model.partitions[places[key]][key][0]
                self.run(self.index.add(places[key], key, one, float(ttl)))
                self.model.add(places[key], key, one, float(ttl))

    @rule(keys=st.lists(KEYS, min_size=1, max_size=12))
    def remove(self, keys: list[bytes]) -> None:
        for key in keys:
            assert self.run(self.index.remove(key)) == self.model.remove(key)

    @rule(now=st.integers(0, 8))
    def expire(self, now: int) -> None:
        assert self.run(self.index.expire(float(now))) == self.model.expire(float(now))

    @rule()
    def clear(self) -> None:
        self.run(self.index.clear())
        self.model = Model()

    @rule()
    def settle(self) -> None:
        self.run(self.index.settled())

    @rule(partition=PARTITIONS, seed=st.integers(10_000, 10_050), k=st.integers(1, 8))
    def search(self, partition: bytes, seed: int, k: int) -> None:
        query = vector(seed)
        found = self.run(self.index.search(partition, query, k))
        entries = self.model.partitions.get(partition, {})
        assert len(found) == min(k, len(entries))
        best = sorted((float(v @ query) for v, _ in entries.values()), reverse=True)[:k]
        assert np.allclose([one.similarity for one in found], best, atol=1e-5)
        for one in found:
            assert np.isclose(float(entries[one.key][0] @ query), one.similarity, atol=1e-5)
        self.model.use(partition)

    @rule()
    def restart(self) -> None:
        """Save and load: what comes back is the same."""
        self.run(self.index.settled())
        with tempfile.TemporaryDirectory() as folder:
            save(self.index, Path(folder), "print", "cursor")
            restored = load(Path(folder), "print", DIMENSION, SMALL)
        assert restored is not None
        self.run(self.index.aclose())
        self.index = restored.index

    @invariant()
    def holds_what_it_must(self) -> None:
        if not hasattr(self, "model"):
            return
        assert len(self.index) == len(self.model)
        listed = [key for keys in self.index.keys() for key in keys]  # noqa: SIM118 - not a dict
        assert len(listed) == len(set(listed))
        assert set(listed) == self.model.keys()
        assert self.index.stats().partitions == len(self.model.partitions)
        for partition in (b"a", b"b", b"c"):
            assert self.index.has(partition) == (partition in self.model.partitions)

    def teardown(self) -> None:
        if hasattr(self, "index"):
            self.run(self.index.aclose())
            self.run(asyncio.sleep(0))
            self.loop.close()


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=30,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
