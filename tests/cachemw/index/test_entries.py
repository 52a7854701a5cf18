"""Entries: numbers are used again, age is kept, the garbage collector has nothing to look at."""

from __future__ import annotations

import gc
from random import Random

import pytest

from cachemw.index.entries import AgeEnds, AgeOrder, Entries, KeyColumn


def test_a_number_is_used_again_for_another_key() -> None:
    entries, ends = Entries(), AgeEnds()
    first = entries.add(b"a", 5.0, ends, 3)
    assert entries.number(b"a") == first
    entries.remove(first, ends)
    assert entries.number(b"a") is None
    with pytest.raises(KeyError):
        entries.key(first)
    second = entries.add(b"b", 6.0, ends, 4)
    assert second == first
    assert (entries.key(second), entries.segment(second)) == (b"b", 4)
    assert (len(entries), ends.count) == (1, 1)


def test_age_is_kept_through_any_history() -> None:
    rng, order, ends = Random(1), AgeOrder(), AgeEnds()
    model: list[int] = []
    for _ in range(3000):
        entry = rng.randrange(60)
        if entry in model:
            order.remove(ends, entry)
            model.remove(entry)
        else:
            order.append(ends, entry)
            model.append(entry)
        assert list(order.walk(ends)) == model
        assert ends.count == len(model)


def test_keys_can_be_walked_while_they_change() -> None:
    entries, ends = Entries(), AgeEnds()
    for number in range(1000):
        entries.add(b"%d" % number, 0.0, ends, 0)
    seen: list[bytes] = []
    for keys in entries.keys(64):
        assert len(keys) <= 64
        seen += keys
        for key in (b"%d" % (len(seen) - 1), b"%d" % (999 - len(seen) // 8)):
            if (entry := entries.number(key)) is not None:
                entries.remove(entry, ends)
    assert len(seen) == len(set(seen))
    assert len(seen) > 800


def test_the_garbage_collector_does_not_look_at_entries() -> None:
    entries, ends = Entries(), AgeEnds()
    gc.collect()
    before = len(gc.get_objects())
    for number in range(20_000):
        entries.add(number.to_bytes(32, "big"), float(number), ends, 0)
    gc.collect()
    assert len(gc.get_objects()) - before < 200
    assert not any(gc.is_tracked(stripe) for stripe in entries._numbers._stripes)
    assert not any(gc.is_tracked(block) for block in entries._keys._blocks)


def test_a_column_grows_without_moving_what_is_there() -> None:
    column = KeyColumn()
    for number in range(10_000):
        column.append(b"%d" % number)
    column[5] = None
    assert len(column) == 10_000
    assert (column[4], column[5], column[9999]) == (b"4", None, b"9999")
