"""The accounts of all categories of one process.

Each worker process keeps its own. What is judged is a cost that differs between processes (they
start cold, they queue for their own embedder) and the evidence is plentiful; sharing it would put
a store round trip on every lookup, to save a fresh process a few hundred lookups of learning. It
is not kept over a restart for the same reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

from cachemw_policies.breakeven import (
    Account,
    BreakEvenSettings,
    Verdict,
    answered,
    break_even,
    interval,
    looked_up,
    lookup_probability,
    verdict,
)
from cachemw_policies.category import DEFAULT


@dataclass(slots=True)
class Totals:
    """Sums since the start, for metrics: nothing is forgotten here. Seconds and US dollars.

    `skipped` lookups were not made because the category is paused; `pauses` began.
    """

    lookups: int = 0
    hits: int = 0
    skipped: int = 0
    pauses: int = 0
    cost_s: float = 0.0
    saved_s: float = 0.0
    saved_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class AccountView:
    """One category as it stands. `net_s` seconds a lookup wins, with its 90 % interval.

    `since`: when a pause last began or ended, by the clock; None where there was none.
    """

    totals: Totals
    verdict: Verdict
    paused: bool
    since: float | None
    hit_rate: float
    break_even: float
    net_s: float
    net_interval_s: tuple[float, float]
    cost_usd: float


class _Entry:
    __slots__ = ("account", "totals")

    def __init__(self) -> None:
        self.account = Account()
        self.totals = Totals()


class Accounts:
    """Accounts by category. Owned by the event loop; a call takes a few microseconds.

    Beyond `most` categories the others share the account of `default`: names may come from clients.
    """

    def __init__(
        self,
        settings: BreakEvenSettings,
        clock: Callable[[], float],
        rng: Random,
        most: int = 256,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._most = most
        self._entries: dict[str, _Entry] = {DEFAULT: _Entry()}

    def allowed(self, category: str) -> bool:
        """Whether to look up; a paused category is let through now and then, as a probe."""
        entry = self._entries.get(category) or self._entry(category)
        if not entry.account.paused:
            return True
        if self._rng.random() < lookup_probability(entry.account, self._settings):
            return True
        entry.totals.skipped += 1
        return False

    def paused(self, category: str) -> bool:
        """Whether only probes are made."""
        return self._entry(category).account.paused

    def note(
        self,
        category: str,
        seconds: float,
        *,
        saved_seconds: float | None = None,
        saved_usd: float = 0.0,
    ) -> None:
        """Book a lookup that took `seconds`: embedding, search and verification.

        A hit says what the call would have taken and cost; a miss leaves `saved_seconds` out.
        """
        entry = self._entries.get(category) or self._entry(category)
        totals, before = entry.totals, entry.account.paused
        totals.lookups += 1
        totals.cost_s += seconds
        if saved_seconds is not None:
            totals.hits += 1
            totals.saved_s += saved_seconds
            totals.saved_usd += saved_usd
        entry.account = looked_up(
            entry.account,
            self._settings,
            cost_s=seconds,
            saved_s=saved_seconds,
            saved_usd=saved_usd,
            now=self._clock(),
        )
        if entry.account.paused and not before:
            totals.pauses += 1

    def answered(self, category: str, seconds: float, usd: float = 0.0) -> None:
        """Note what a call took and cost: it is what a hit would have saved."""
        entry = self._entries.get(category) or self._entry(category)
        entry.account = answered(entry.account, self._settings, seconds, usd)

    def keep(self, categories: Iterable[str]) -> None:
        """Forget all others, after the policies were read anew."""
        wanted = {DEFAULT, *categories}
        self._entries = {name: entry for name, entry in self._entries.items() if name in wanted}

    def view(self) -> dict[str, AccountView]:
        """Return all categories that were asked for, by name; the totals go on changing."""
        return {name: self._viewed(entry) for name, entry in self._entries.items()}

    def _entry(self, category: str) -> _Entry:
        found = self._entries.get(category)
        if found is not None:
            return found
        if len(self._entries) >= self._most:
            return self._entries[DEFAULT]
        made = self._entries[category] = _Entry()
        return made

    def _viewed(self, entry: _Entry) -> AccountView:
        account, settings = entry.account, self._settings
        return AccountView(
            entry.totals,
            verdict(account, settings),
            account.paused,
            account.since,
            account.hit_rate,
            break_even(account, settings),
            account.net,
            interval(account, settings),
            entry.totals.cost_s * settings.cpu_usd_per_hour / 3600.0,
        )
