from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from cachemw_codecs.transform.blocks import BLOCK
from cachemw_codecs.transform.zones import (
    BODY,
    FIRST,
    LONGEST,
    LOOSE,
    SETTINGS,
    SINKS,
    TAILS,
    Zone,
    by_block,
    pieces,
    zones,
)
from hypothesis import given
from hypothesis import strategies as st

BEGINS = pytest.mark.parametrize("begins", [True, False])
ENDS = pytest.mark.parametrize("ends", [True, False])


def check_partition(parts: list[Zone], tokens: int) -> None:
    assert parts[0].start == 0
    assert parts[-1].stop == tokens
    assert all(before.stop == after.start for before, after in pairwise(parts))
    for part in parts:
        assert part.tokens > 0
        assert not (by_block(part.setting) and part.tokens % BLOCK)


@BEGINS
@ENDS
@pytest.mark.parametrize("cut", [zones, pieces])
def test_short_chunks_are_parted_in_order_and_blocks_are_whole(
    cut: Callable[[int, bool, bool], list[Zone]], begins: bool, ends: bool
) -> None:
    for tokens in range(1, 1101):
        parts = cut(tokens, begins, ends)
        check_partition(parts, tokens)
        settings = [part.setting for part in parts]
        assert settings == sorted(settings)
        assert ends or not set(settings) & set(TAILS)
        assert begins == (parts[0].setting == FIRST)
        assert begins or SINKS not in settings


@BEGINS
@ENDS
@given(tokens=st.integers(1, 1 << 20))
def test_pieces_of_long_chunks_are_bounded_and_lie_within_their_zone(
    begins: bool, ends: bool, tokens: int
) -> None:
    parts = pieces(tokens, begins, ends)
    check_partition(parts, tokens)
    whole = {zone.setting: zone for zone in zones(tokens, begins, ends)}
    for part in parts:
        assert part.tokens <= LONGEST
        assert whole[part.setting].start <= part.start < part.stop <= whole[part.setting].stop
    body = [part.tokens for part in parts if part.setting == BODY]
    if len(body) > 1:
        assert min(body[:-1]) > LONGEST // 2 - BLOCK, "cut into more pieces than needed"
        assert max(body) - min(body[:-1]) == 0, "all but the last are equal"


def test_a_long_context_by_its_zones() -> None:
    found = [(z.setting, z.start, z.stop) for z in zones(1000, True, True)]
    assert found == [
        (FIRST, 0, 1),
        (SINKS, 1, 4),
        (LOOSE, 4, 8),
        (BODY, 8, 744),
        (TAILS[0], 744, 936),
        (TAILS[1], 936, 984),
        (TAILS[2], 984, 1000),
    ]
    found = [(z.setting, z.start, z.stop) for z in zones(1000, True, False)]
    assert found == [(FIRST, 0, 1), (SINKS, 1, 4), (LOOSE, 4, 8), (BODY, 8, 1000)]
    found = [(z.setting, z.start, z.stop) for z in zones(1000, False, False)]
    assert found == [(LOOSE, 0, 8), (BODY, 8, 1000)]


@given(tokens=st.integers(1, 5000))
def test_each_tail_begins_at_its_distance_from_the_end_or_where_blocks_do(tokens: int) -> None:
    found = {zone.setting: zone for zone in zones(tokens, True, True)}
    blocks = 4 + max(tokens - 4, 0) % BLOCK
    for setting, distance in zip(TAILS, (256, 64, 16), strict=True):
        if setting in found:
            assert found[setting].start == max(tokens - distance, blocks)
    assert (TAILS[-1] in found) == (tokens >= 20)


def test_settings_are_all_named() -> None:
    assert sorted([FIRST, SINKS, LOOSE, BODY, *TAILS]) == list(range(SETTINGS))
    assert [by_block(setting) for setting in (FIRST, SINKS, LOOSE, BODY)] == [False] * 3 + [True]
