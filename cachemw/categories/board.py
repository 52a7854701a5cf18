"""What is in force for each category: its policy, its thresholds, and what they were learnt from.

Owned by the event loop. Requests read; labels and reloads write, and what follows from them is
worked out beside the requests, by `refresh`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from cachemw_policies.category import DEFAULT, CategoryPolicy, PolicySet
from cachemw_policies.decision import CategoryState, fresh_for
from cachemw_policies.freshness import Freshness
from cachemw_policies.guarantee import Pool, false_hit_estimate, known, state_of
from cachemw_policies.labels import Label
from cachemw_policies.shadowing import ShadowSettings, shadow_probability
from cachemw_policies.thresholds import GuaranteeSettings

from cachemw.accounting.ledger import Accounts
from cachemw.categories.classify import CategoryClassifier
from cachemw.errors import BadRequest
from cachemw.stores.base import Document, Vector

# Comparisons of a category's answers before it counts how many of them tell anything.
_CHECKS_AT_FIRST = 20

_LONGEST_NAME = 128


@dataclass(frozen=True, slots=True)
class BoardSettings:
    """How thresholds are proven, and how many hits are checked for that."""

    guarantee: GuaranteeSettings = field(default_factory=GuaranteeSettings)
    shadow: ShadowSettings = field(default_factory=ShadowSettings)


@dataclass(frozen=True, slots=True)
class Estimate:
    """The share of wrong answers among what is served, with its 95 % interval, and of how many."""

    ratio: float
    low: float
    high: float
    labels: float
    errors: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What has been worked out for a category."""

    state: CategoryState
    estimate: Estimate


class Categories:
    """The board; `on_standing` is told what is worked out anew, category by category."""

    def __init__(
        self,
        policies: PolicySet,
        settings: BoardSettings,
        accounts: Accounts,
        on_standing: Callable[[str, Standing], None],
    ) -> None:
        self._settings = settings
        self._accounts = accounts
        self._on_standing = on_standing
        self._classifier: CategoryClassifier | None = None
        self.strictest = CategoryPolicy(DEFAULT)
        self._pools: dict[str, Pool] = {}
        self._standings: dict[str, Standing] = {}
        self._outdated: set[str] = set()
        self._checks: dict[str, tuple[int, int]] = {}
        self._scale = ""
        self.policies = policies
        self.use(policies, None)

    @property
    def scale(self) -> str:
        """The verifier on whose scale scores are; labels of others are not used."""
        return self._scale

    def begin(self, scale: str) -> None:
        """Learn from labels on this scale from now on."""
        self._scale = scale
        self.anew()

    def use(self, policies: PolicySet, classifier: CategoryClassifier | None) -> None:
        """Put policies in force, with the classifier that was trained on them.

        What was learnt of a category that goes on under its name is kept.
        """
        self.policies, self._classifier = policies, classifier
        self.strictest = _strictest(policies)
        kept = {name: pool for name, pool in self._pools.items() if name in policies.categories}
        self._pools = {name: kept.get(name) or self._pool() for name in policies.names}
        self._standings = {}
        self._checks = {n: c for n, c in self._checks.items() if n in policies.categories}
        self._accounts.keep(policies.names)
        self._outdated.update(policies.names)
        self.refresh()

    def anew(self) -> None:
        """Forget all labels: they will come again, or are those of another store."""
        self._pools = {name: self._pool() for name in self.policies.names}
        self._outdated.update(self.policies.names)
        self.refresh()

    def learn(self, label: Label) -> None:
        """Take a label in."""
        pool = self._pools.get(label.category)
        if pool is not None and label.scale == self._scale:
            pool.add([label])
            self._outdated.add(label.category)

    def refresh(self) -> None:
        """Work out what follows from new labels and policies; about a millisecond a category."""
        outdated, self._outdated = self._outdated, set()
        for name in outdated & self._pools.keys():
            standing = self._worked_out(self._pools[name], self.policies.of(name))
            self._standings[name] = standing
            self._on_standing(name, standing)

    def named(self, wanted: str | None) -> str | None:
        """Return the category that a request names, None where it may not. Raises BadRequest."""
        if wanted is None or not self.policies.client_may_choose:
            return None
        if wanted not in self.policies.categories:
            near = _like(wanted, self.policies.names)
            meant = f"did you mean '{near[0]}'?" if near else "see the policy file."
            raise BadRequest(f"There is no such category; {meant}", param="x-cachemw-category")
        return wanted

    def classify(self, vector: Vector) -> str:
        """Return the category of a question by its embedding, `default` where that is unsure."""
        return DEFAULT if self._classifier is None else self._classifier.name_of(vector).name

    def policy(self, category: str) -> CategoryPolicy:
        """Return a category's policy."""
        return self.policies.of(category)

    def standing(self, category: str) -> Standing:
        """Return what is known of a category; one that is gone stands like `default`."""
        return self._standings.get(category) or self._standings[DEFAULT]

    def state(self, category: str, load: float = 0.0) -> CategoryState:
        """Return a category's state for one lookup: of paused ones some are let through as probes.

        Under `load` all are: a hit is worth more then than what the account has seen.
        """
        state = self.standing(category).state
        return state if self.allowed(category, load) else replace(state, paused=True)

    def allowed(self, category: str, load: float) -> bool:
        """Whether to look up at all; draws the probe where the category is paused."""
        return load > 0.0 or self._accounts.allowed(category)

    def shadow_rate(self, category: str, load: float = 0.0) -> float:
        """Return the share of a category's hits to check; fewer where checks tell nothing.

        What answers of prose come to only a judge can say: without one its checks are in vain.
        """
        estimate, shadow = self.standing(category).estimate, self._settings.shadow
        if not shadow.share:
            return 0.0
        delta = self.policy(category).delta
        rate = shadow_probability(estimate.labels, estimate.errors, delta, shadow, load=load)
        made, told = self._checks.get(category, (0, 0))
        return rate if made < _CHECKS_AT_FIRST else rate * (told + 2) / (made + 2)

    def checked(self, category: str, *, told: bool) -> None:
        """Note a comparison of answers, and whether anything could be told from it."""
        made, before = self._checks.get(category, (0, 0))
        self._checks[category] = (made + 1, before + told)

    def freshness(
        self, document: Document, now: float, load: float, max_age: float | None = None
    ) -> Freshness:
        """Weigh a document's age by its category's policy; what may not be cached is too old."""
        policy = self.policy(document.category)
        if not policy.allow_caching:
            return Freshness(max(0.0, now - document.created_at), 0.0)
        return fresh_for(
            policy,
            load,
            created_at=document.created_at,
            expires_at=document.expires_at,
            now=now,
            max_age=max_age,
        )

    def _pool(self) -> Pool:
        return Pool(self._settings.guarantee)

    def _worked_out(self, pool: Pool, policy: CategoryPolicy) -> Standing:
        state = state_of(pool, policy, self._settings.guarantee)
        threshold = state.normal.threshold
        # Where nothing is served it is still of use to say what would be wrong: of all labels.
        at = 0.0 if threshold is None else threshold
        labels, errors = known(pool, at)
        return Standing(state, Estimate(*false_hit_estimate(pool, at), labels, errors))


def _like(wanted: str, names: Sequence[str]) -> list[str]:
    # Comparing takes time by the length, and a request's metadata may hold any.
    short = len(wanted) <= _LONGEST_NAME
    return difflib.get_close_matches(wanted, names, n=1, cutoff=0.5) if short else []


def _strictest(policies: PolicySet) -> CategoryPolicy:
    """Return what every category would agree to, for a question whose category is not known yet."""
    every = policies.categories.values()
    return replace(
        policies.of(DEFAULT),
        ttl=min(policy.ttl for policy in every),
        ttl_overload=min(policy.ttl for policy in every),
        allow_caching=all(policy.allow_caching for policy in every),
        personalised=any(policy.personalised for policy in every),
        delta=0.0,
    )
