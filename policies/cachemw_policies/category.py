"""What an operator says about one kind of question, and the set of all kinds.

Own design, after the requirements of *Category-Aware Semantic Caching for Heterogeneous LLM
Workloads* (arXiv 2510.26835). A policy set always has the category `default`: what nothing else
claims.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Quota:
    """Shares of the store's capacity, in [0, 1], of entries and of bytes alike.

    `guaranteed` is never evicted for another category's sake as long as this one fills it; `cap` is
    what it can have at most.
    """

    guaranteed: float = 0.0
    cap: float = 1.0


@dataclass(frozen=True, slots=True)
class CategoryPolicy:
    """One category.

    `threshold`: the least score of a semantic hit until there are enough labels to calibrate; the
    score is the verifier's probability that both questions have the same answer, or the cosine
    similarity where there is no verifier. `ttl` in seconds since the answer was generated, or since
    it was last used where `sliding`. `priority` weighs what is left of the store after all
    guarantees. `delta`: the share of served semantic hits that may be wrong; 0 serves exact hits
    only. `delta_overload` and `ttl_overload` take their places as the upstream's load grows,
    unless `safety_critical`. `personalised`: questions that hold personal data are not stored.
    """

    name: str
    threshold: float = 0.97
    ttl: float = 86_400.0
    sliding: bool = False
    quota: Quota = Quota()
    priority: float = 1.0
    allow_caching: bool = True
    delta: float = 0.03
    delta_overload: float = 0.03
    ttl_overload: float = 86_400.0
    safety_critical: bool = False
    personalised: bool = False
    examples: tuple[str, ...] = ()

    @property
    def longest_ttl(self) -> float:
        """How long an answer may be of use, in seconds: what the store keeps it for."""
        fixed = self.safety_critical or self.sliding
        return self.ttl if fixed else max(self.ttl, self.ttl_overload)


@dataclass(frozen=True, slots=True)
class PolicySet:
    """All categories of a policy file.

    `client_may_choose`: whether a request may name its category. `min_confidence`: the classifier's
    least probability; below it a question is `default`. `digest` is of the file's text: sets of the
    same digest are the same.
    """

    categories: Mapping[str, CategoryPolicy] = field(
        default_factory=lambda: MappingProxyType({DEFAULT: CategoryPolicy(DEFAULT)})
    )
    client_may_choose: bool = True
    min_confidence: float = 0.5
    digest: str = ""

    def of(self, name: str) -> CategoryPolicy:
        """Return a category's policy; one that is no longer there has that of `default`."""
        found = self.categories.get(name)
        return self.categories[DEFAULT] if found is None else found

    @property
    def names(self) -> tuple[str, ...]:
        """All names, as the file has them."""
        return tuple(self.categories)
