from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np
import pytest
from cachemw_policies.quota import Amount

from cachemw.errors import StoreUnavailable
from cachemw.quotas.follow import Follower
from cachemw.quotas.ghosts import Ghosts
from cachemw.quotas.ledger import Ledger
from cachemw.stores.base import Embedded, EntryInfo
from tests.cachemw.quotas.conftest import document, info, key


class Shelf:
    """A store that tells what it has; `between` happens while it is being read."""

    def __init__(self) -> None:
        self.durable = True
        self.infos: dict[bytes, EntryInfo] = {}
        self.fails = False
        self.between: Callable[[], None] = list[None]().clear

    def keep(self, *infos: EntryInfo) -> None:
        self.infos.update({one.key: one for one in infos})

    async def entries(self) -> AsyncIterator[list[EntryInfo]]:
        every = list(self.infos.values())
        yield every[:2]
        self.between()
        if self.fails:
            raise StoreUnavailable("away")
        yield every[2:]

    async def entries_of(self, keys: Sequence[bytes]) -> list[EntryInfo]:
        return [self.infos[name] for name in keys if name in self.infos]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(Amount(1000, 1e6), Ghosts(64))


async def test_a_fill_makes_the_ledger_like_the_store(shelf: Shelf, ledger: Ledger) -> None:
    shelf.keep(*(info(number) for number in range(5)))
    ledger.put(info(99))
    follower = Follower(ledger, shelf)
    assert not follower.filled
    await follower.fill()
    assert follower.filled
    assert ledger.totals() == {"a": Amount(5, 500)}


async def test_what_is_put_while_the_store_is_read_stays(shelf: Shelf, ledger: Ledger) -> None:
    shelf.keep(*(info(number) for number in range(5)))
    shelf.between = lambda: ledger.put(info(7))
    await Follower(ledger, shelf).fill()
    assert ledger.held == Amount(6, 600)


async def test_a_fill_that_fails_is_none(shelf: Shelf, ledger: Ledger) -> None:
    shelf.keep(*(info(number) for number in range(5)))
    shelf.fails = True
    follower = Follower(ledger, shelf)
    ledger.put(info(99))
    with pytest.raises(StoreUnavailable):
        await follower.fill()
    assert not follower.filled
    assert ledger.held.entries == 3  # nothing was taken to be gone


async def test_the_log_is_followed(shelf: Shelf, ledger: Ledger) -> None:
    follower = Follower(ledger, shelf)
    await follower.fill()
    shelf.keep(info(1, "b", size=70))
    await follower.put([key(1, "b"), key(2)])  # the second has gone already
    assert ledger.totals() == {"b": Amount(1, 70)}
    follower.removed([key(1, "b")])
    assert ledger.totals() == {}


async def test_one_s_own_document_is_known_at_once(shelf: Shelf, ledger: Ledger) -> None:
    vector = Embedded(b"p" * 32, "f", np.zeros(100, np.float32))
    one = document(1, prompt="q" * 60, body=b"x" * 240, embedded=vector)
    follower = Follower(ledger, shelf)
    await follower.stored(one, 4.0)
    assert ledger.totals() == {"a": Amount(1, 200 + 400 + 100)}
    shelf.keep(info(1, size=650))
    await follower.put([one.key])  # the log, with the exact size
    assert ledger.totals() == {"a": Amount(1, 650)}
    (known,) = ledger.candidates("a")
    assert known.values[0] == pytest.approx(4.0 / 650, rel=0.01)


async def test_without_a_log_the_exact_size_is_asked_for(shelf: Shelf, ledger: Ledger) -> None:
    shelf.durable = False
    shelf.keep(info(1, size=650))
    await Follower(ledger, shelf).stored(document(1), 4.0)
    assert ledger.totals() == {"a": Amount(1, 650)}


async def test_missed_changes_lead_to_another_fill(shelf: Shelf, ledger: Ledger) -> None:
    follower = Follower(ledger, shelf)
    await follower.fill()
    follower.outdated()
    assert not follower.filled
