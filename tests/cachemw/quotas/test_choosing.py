from __future__ import annotations

import asyncio
from math import inf

import pytest
from cachemw_policies.quota import Amount

from cachemw.quotas.choosing import in_use, least_valuable
from cachemw.quotas.ghosts import Ghosts
from cachemw.quotas.ledger import Ledger
from tests.cachemw.quotas.conftest import info, key

#: More than two blocks.
MANY = 10_000


@pytest.fixture
def ledger() -> Ledger:
    """Return one in which every thousandth entry saves little, in another category every other."""
    known = Ledger(Amount(inf, 1e9), Ghosts(64))
    for number in range(MANY):
        known.put(info(number, "a"), saved=1.0 if number % 1000 == 999 else 1000.0)
        known.put(info(number, "b"), saved=0.001)
    return known


async def test_the_least_valuable_are_found_in_all_blocks(ledger: Ledger) -> None:
    keys = await least_valuable(ledger, "a", Amount(10, 0))
    assert set(keys) == {key(number, "a") for number in range(999, MANY, 1000)}


async def test_enough_bytes_are_found(ledger: Ledger) -> None:
    assert len(await least_valuable(ledger, "a", Amount(2.5, 1150))) == 12
    assert len(await least_valuable(ledger, "a", Amount(2.5, 0))) == 3


async def test_a_category_that_holds_nothing_has_none(ledger: Ledger) -> None:
    assert await least_valuable(ledger, "unheard of", Amount(10, 0)) == []


async def test_what_is_in_use_is_added_up_over_all_blocks(ledger: Ledger) -> None:
    used = await in_use(ledger)
    assert used["a"].entries == pytest.approx(MANY, rel=0.01)
    assert used["b"].size == pytest.approx(100 * MANY, rel=0.01)


async def test_others_get_their_turn(ledger: Ledger) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await in_use(ledger)
    task.cancel()
    assert turns >= 4  # blocks, less the first
