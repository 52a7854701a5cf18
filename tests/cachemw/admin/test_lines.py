"""Lines and portions: whatever the pieces, the same lines, and never more held than the limit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachemw.admin.lines import LineTooLong, numbered_lines, portions
from cachemw.stores.base import EntryInfo


async def _chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def _read(*chunks: bytes, limit: int = 1000) -> list[tuple[int, bytes]]:
    return [line async for line in numbered_lines(_chunks(*chunks), limit)]


@given(st.lists(st.text("ab \n", max_size=8).map(str.encode), max_size=8))
async def test_pieces_do_not_matter(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    expected = [(n, line.strip()) for n, line in enumerate(whole.split(b"\n"), 1) if line.strip()]
    assert await _read(*chunks) == expected


async def test_windows_line_ends() -> None:
    assert await _read(b"a\r\nb\r\n") == [(1, b"a"), (2, b"b")]


@pytest.mark.parametrize("chunks", [[b"ok\n12345"], [b"ok\n12345\nok"], [b"ok\n1", b"2345"]])
async def test_a_line_over_the_limit_is_named(chunks: list[bytes]) -> None:
    with pytest.raises(LineTooLong) as caught:
        await _read(*chunks, limit=4)
    assert caught.value.number == 2


def _info(size: int) -> EntryInfo:
    return EntryInfo(b"", "", "", "", "", (), 0.0, 0.0, size)


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 5), st.integers(1, 60))
def test_portions_are_all_there_and_within_both_limits(
    sizes: list[int], count: int, size: int
) -> None:
    infos = [_info(each) for each in sizes]
    found = list(portions(infos, count=count, size=size))
    assert [info for portion in found for info in portion] == infos
    for portion in found:
        assert 0 < len(portion) <= count
        # One that is too large by itself goes alone.
        assert len(portion) == 1 or sum(info.size for info in portion) <= size
    for left, right in pairwise(found):
        full = len(left) == count or sum(i.size for i in left) + right[0].size > size
        assert full
