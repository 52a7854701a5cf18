"""One lookup: whether it is made at all where the category's lookups cost more than they win."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any, cast

from cachemw_policies.breakeven import BreakEvenSettings
from cachemw_policies.category import DEFAULT

from cachemw.accounting.ledger import Accounts
from cachemw.ask import Ask, Asked
from cachemw.categories.board import BoardSettings, Categories
from cachemw.directives import Directives
from cachemw.lookup import Circumstances, Lookup, LookupSettings, Place
from cachemw.metrics import Metrics
from tests.support.around import unit
from tests.support.tiers import board

PROBES = 0.2
ASKED = Asked("Is it?", b"p" * 32)


class CountedIndex:
    """An index in which nothing is near."""

    def __init__(self) -> None:
        self.searches = 0

    async def search(self, *_: object) -> list[object]:
        self.searches += 1
        return []


class World:
    """A lookup whose category, `default`, is paused."""

    def __init__(self) -> None:
        self.accounts = Accounts(BreakEvenSettings(probes=PROBES), lambda: 0.0, Random(1))
        for _ in range(100):
            self.accounts.note(DEFAULT, 10.0)
        assert self.accounts.paused(DEFAULT)
        categories = Categories(board().policies, BoardSettings(), self.accounts, lambda *_: None)
        around = Circumstances(categories, self.accounts, lambda: 0.0, lambda: 0.0)
        self.lookup = Lookup(LookupSettings(0.75, 8, 3), around, Metrics())
        self.index = CountedIndex()

    async def ask(self, named: str | None) -> None:
        """Go the way of a request."""
        ask: Any = SimpleNamespace(
            named=named, category=DEFAULT, directives=Directives(), max_age=None, load=0.0
        )
        if self.lookup.worthwhile(cast("Ask", ask)):
            place = Place(cast("Any", self.index), cast("Any", None))
            await self.lookup.run(cast("Ask", ask), ASKED, unit("x"), place, 0.0)


async def test_a_paused_category_is_probed_as_often_whether_it_is_named_or_not() -> None:
    for named in (DEFAULT, None):
        world = World()
        for _ in range(500):
            await world.ask(named)
        assert 0.14 < world.index.searches / 500 < 0.26
        assert world.accounts.view()[DEFAULT].totals.skipped == 500 - world.index.searches
