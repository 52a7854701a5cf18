"""The map is bounded by bytes, and drops what was not used for longest."""

from __future__ import annotations

from collections import OrderedDict

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cachemw.lru import ByteLru

MAX_BYTES = 10
keys = st.sampled_from([b"a", b"b", b"c", b"d"])
sizes = st.integers(0, MAX_BYTES + 2)


class AgainstAModel(RuleBasedStateMachine):
    """The same operations on a plain list of entries, oldest use first."""

    def __init__(self) -> None:
        super().__init__()
        self.lru: ByteLru[int] = ByteLru(MAX_BYTES)
        self.model: OrderedDict[bytes, tuple[int, int]] = OrderedDict()
        self.evicted = 0

    @rule(key=keys, value=st.integers(), size=sizes)
    def put(self, key: bytes, value: int, size: int) -> None:
        self.lru.put(key, value, size)
        self.model.pop(key, None)
        if size <= MAX_BYTES:
            self.model[key] = (value, size)
        while sum(size for _, size in self.model.values()) > MAX_BYTES:
            self.model.popitem(last=False)
            self.evicted += 1

    @rule(key=keys)
    def get(self, key: bytes) -> None:
        known = self.model.get(key)
        assert self.lru.get(key) == (None if known is None else known[0])
        if known is not None:
            self.model.move_to_end(key)

    @rule(key=keys)
    def remove(self, key: bytes) -> None:
        assert self.lru.remove(key) is (self.model.pop(key, None) is not None)

    @invariant()
    def agrees(self) -> None:
        assert len(self.lru) == len(self.model)
        assert self.lru.bytes == sum(size for _, size in self.model.values()) <= MAX_BYTES
        assert self.lru.evictions == self.evicted


TestByteLru = AgainstAModel.TestCase


def test_what_was_used_stays_longest() -> None:
    lru: ByteLru[str] = ByteLru(2)
    lru.put(b"a", "a", 1)
    lru.put(b"b", "b", 1)
    lru.get(b"a")
    lru.put(b"c", "c", 1)

    assert (lru.get(b"a"), lru.get(b"b"), lru.get(b"c")) == ("a", None, "c")


def test_what_is_too_large_leaves_the_rest_alone_but_not_its_own_old_value() -> None:
    lru: ByteLru[str] = ByteLru(2)
    lru.put(b"a", "old", 1)
    lru.put(b"b", "b", 1)
    lru.put(b"a", "new", 3)

    assert (lru.get(b"a"), lru.get(b"b")) == (None, "b")


def test_clearing_leaves_nothing() -> None:
    lru: ByteLru[str] = ByteLru(100)
    lru.put(b"a", "1", 40)
    lru.put(b"b", "2", 40)
    lru.clear()
    assert (len(lru), lru.bytes, lru.get(b"a")) == (0, 0, None)
