from __future__ import annotations

from math import inf

import pytest

from cachemw.quotas.columns import BLOCK, FREE, Columns, stored_size


def _key(number: int) -> bytes:
    return b"%032d" % number


def test_an_entry_is_found_where_it_was_put() -> None:
    columns = Columns()
    block, place = columns.add(_key(1))
    block.size[place] = 7
    assert columns.find(_key(1)) == (block, place)
    assert block.sizes[place] == 7
    assert columns.find(_key(2)) is None
    assert len(columns) == 1


def test_more_than_a_block() -> None:
    columns = Columns()
    for number in range(BLOCK + 1):
        block, place = columns.add(_key(number))
        block.category[place] = 3
    assert len(list(columns.blocks())) == 2
    assert sum(int((block.categories == 3).sum()) for block in columns.blocks()) == BLOCK + 1


def test_a_free_number_is_used_again() -> None:
    columns = Columns()
    block, place = columns.add(_key(1))
    block.category[place], block.expires[place] = 3, 5.0
    columns.drop(_key(1))
    assert (block.category[place], block.expires[place], block.keys[place]) == (FREE, inf, None)
    assert columns.find(_key(1)) is None
    assert columns.add(_key(2)) == (block, place)
    assert len(columns) == 1


def test_what_is_not_there_cannot_be_dropped() -> None:
    with pytest.raises(KeyError):
        Columns().drop(_key(1))


@pytest.mark.parametrize(("size", "stored"), [(-1, 0), (7, 7), (1 << 40, (1 << 32) - 1)])
def test_sizes_fit_their_column(size: int, stored: int) -> None:
    assert stored_size(size) == stored
