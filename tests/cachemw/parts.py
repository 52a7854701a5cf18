"""Parts of the service that several of its tests need, each with little behind it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from types import MappingProxyType

from cachemw_policies.breakeven import BreakEvenSettings
from cachemw_policies.category import DEFAULT, CategoryPolicy, PolicySet
from cachemw_policies.labels import Label, Source
from cachemw_policies.load import LoadSettings
from cachemw_policies.quota import Amount

from cachemw.accounting.ledger import Accounts
from cachemw.categories.board import BoardSettings, Categories, Standing
from cachemw.categories.source import PolicySource
from cachemw.categories.views import CategoryViews
from cachemw.evidence.book import LabelBook
from cachemw.learner import Learner
from cachemw.levels import LoadLevels
from cachemw.load import UpstreamLoad
from cachemw.lookup import Circumstances, Lookup, LookupSettings
from cachemw.metrics import Metrics
from cachemw.quotas.evictor import Evictor, EvictorSettings
from cachemw.quotas.follow import Follower
from cachemw.quotas.ghosts import Ghosts
from cachemw.quotas.ledger import Ledger
from cachemw.semantic import SemanticSettings, SemanticTier
from cachemw.states import DependencyState
from cachemw.stores.base import DocumentStore
from tests.cachemw.quotas.conftest import Heard

SCALE = "the verifier"
Now = Callable[[], float]


def policies(*given: CategoryPolicy, client_may_choose: bool = True) -> PolicySet:
    """Return a policy set with `default` first, the shipped one where it is not given."""
    named = {DEFAULT: CategoryPolicy(DEFAULT)} | {policy.name: policy for policy in given}
    return PolicySet(MappingProxyType(named), client_may_choose=client_may_choose)


def accounts(clock: Now) -> Accounts:
    """Return accounts that take a lookup's seconds for waiting alone."""
    return Accounts(BreakEvenSettings(), clock, Random(1))


def board(
    chosen: PolicySet | None = None,
    *,
    settings: BoardSettings | None = None,
    kept: Accounts | None = None,
    clock: Now = lambda: 0.0,
    on_standing: Callable[[str, Standing], None] = lambda _name, _standing: None,
) -> Categories:
    """Return a board that learns on the scale `SCALE`."""
    made = Categories(
        chosen or policies(), settings or BoardSettings(), kept or accounts(clock), on_standing
    )
    made.begin(SCALE)
    return made


def label(
    score: float,
    *,
    right: bool = True,
    category: str = DEFAULT,
    scale: str = SCALE,
    source: Source = Source.SHADOW,
) -> Label:
    """Return a judged candidate."""
    return Label(category, score, right, source, scale, 0.0)


def lookup(known: Categories, kept: Accounts, metrics: Metrics, clock: Now) -> Lookup:
    """Return lookups of the three nearest."""
    around = Circumstances(known, kept, clock, clock)
    return Lookup(LookupSettings(0.75, 8), around, metrics)


def semantic_tier(
    known: Categories, state: DependencyState, metrics: Metrics, clock: Now
) -> SemanticTier:
    """Return a semantic tier with nothing attached."""
    looked_up = lookup(known, accounts(clock), metrics, clock)
    return SemanticTier(SemanticSettings(2000), looked_up, state, metrics, clock)


def learner(
    store: DocumentStore, known: Categories, metrics: Metrics, source: PolicySource | None = None
) -> Learner:
    """Return a learner on the evidence of a store."""
    numbers = iter(range(1 << 30))
    book = LabelBook(
        store.evidence(),
        DependencyState("evidence"),
        known.learn,
        on_anew=known.anew,
        on_dropped=lambda _: None,
        unique=lambda: b"%016d" % next(numbers),
    )
    return Learner(known, book, source, metrics)


def evictor(store: DocumentStore, known: Categories, clock: Now, capacity: Amount) -> Evictor:
    """Return an evictor with a ledger of its own."""
    ledger = Ledger(capacity, Ghosts(64))
    return Evictor(
        EvictorSettings(capacity),
        store,
        ledger,
        Follower(ledger, store),
        lambda: known.policies,
        Heard(),
        DependencyState("eviction"),
        clock,
    )


def views(
    known: Categories,
    kept: Accounts,
    evicting: Evictor,
    metrics: Metrics,
    levels: LoadLevels | None = None,
) -> CategoryViews:
    """Return what an operator sees; calm where no levels are given."""
    if levels is None:
        load = UpstreamLoad(metrics, lambda: 0.0, LoadSettings())
        levels = LoadLevels(load, None, {}, lambda: 0.0)
    return CategoryViews(known, kept, levels, evicting, metrics)
