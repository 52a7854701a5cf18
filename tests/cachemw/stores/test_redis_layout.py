"""Names, slots and times to live; the scripts run in the tests of what uses them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from cachemw.stores.redis_layout import REMOVE, SHARDS, Layout, shard_of, time_to_live_ms

LAYOUT = Layout("cachemw")


@given(st.binary(min_size=1, max_size=64))
def test_all_of_a_document_is_in_one_slot(key: bytes) -> None:
    names = [LAYOUT.document(key), LAYOUT.lease(key), LAYOUT.index(shard_of(key))]
    assert len({key_slot(name) for name in names}) == 1
    assert len(set(names)) == 3


def test_names_are_readable() -> None:
    key = bytes.fromhex("a7ff00")
    assert LAYOUT.document(key) == b"cachemw:{a7}:d:a7ff00"
    assert LAYOUT.lease(key) == b"cachemw:{a7}:l:a7ff00"
    assert LAYOUT.index(0xA7) == b"cachemw:{a7}:x"
    assert key_slot(LAYOUT.log) == key_slot(LAYOUT.store_id)


def test_shards_lie_in_different_slots() -> None:
    assert len({key_slot(LAYOUT.index(shard)) for shard in SHARDS}) == 256


def test_a_script_for_documents_gets_their_names_and_keys() -> None:
    command = LAYOUT.of_shard(REMOVE, 1, [b"\x01a", b"\x01b"], "now")
    assert command.words == (
        "EVALSHA",
        REMOVE.name,
        3,
        b"cachemw:{01}:x",
        b"cachemw:{01}:d:0161",
        b"cachemw:{01}:d:0162",
        "now",
        b"\x01a",
        b"\x01b",
    )
    assert command.key == b"cachemw:{01}:x"
    assert command.with_source()[:3] == ("EVAL", REMOVE.source, 3)


@pytest.mark.parametrize(
    ("left", "milliseconds"), [(0.0, 1), (-5.0, 1), (0.0101, 11), (2.0, 2000), (-math.inf, 1)]
)
def test_time_to_live_is_rounded_up_and_positive(left: float, milliseconds: int) -> None:
    assert time_to_live_ms(left, 0.0) == milliseconds


@pytest.mark.parametrize("expires_at", [math.inf, 1e300])
def test_nothing_lives_for_ever(expires_at: float) -> None:
    assert time_to_live_ms(expires_at, 0.0) == 10 * 366 * 86_400_000
