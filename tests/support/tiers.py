"""The exact tier by itself, with what it goes by."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from random import Random

from cachemw_policies.breakeven import BreakEvenSettings
from cachemw_policies.category import PolicySet
from cachemw_policies.quota import Amount

from cachemw.accounting.ledger import Accounts
from cachemw.categories.board import BoardSettings, Categories
from cachemw.exact import ExactTier, Resident
from cachemw.lru import ByteLru
from cachemw.metrics import Metrics
from cachemw.quotas.follow import Follower
from cachemw.quotas.ghosts import Ghosts
from cachemw.quotas.ledger import Ledger
from cachemw.states import DependencyState
from cachemw.stores.base import DocumentStore


def board(policies: PolicySet | None = None) -> Categories:
    """Return the categories of these policies; of none, `default` with its own defaults."""
    accounts = Accounts(BreakEvenSettings(), lambda: 0.0, Random(1))
    return Categories(policies or PolicySet(), BoardSettings(), accounts, lambda *_: None)


def ledger() -> Ledger:
    """Return a ledger without bounds."""
    return Ledger(Amount(inf, inf), Ghosts(1 << 10))


def exact_tier(
    store: DocumentStore,
    clock: Callable[[], float],
    metrics: Metrics,
    *,
    lru: ByteLru[Resident] | None = None,
    state: DependencyState | None = None,
    categories: Categories | None = None,
) -> ExactTier:
    """Return the tier over `store`; without an `lru` it keeps nothing in memory."""
    return ExactTier(
        ByteLru(0) if lru is None else lru,
        store,
        state or DependencyState("store"),
        metrics,
        clock,
        (categories or board()).freshness,
        Follower(ledger(), store),
    )
