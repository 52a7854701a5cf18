"""What is known of each category: what the operator asked for, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import orjson
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import Bar


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share in [0, 1] with its 95 % interval, out of `labels`; `ratio` is None without any."""

    ratio: float | None = None
    low: float = 0.0
    high: float = 1.0
    labels: int = 0


@dataclass(frozen=True, slots=True)
class Benefit:
    """What hits saved less what lookups cost, since the start; `verdict` as in the metrics."""

    seconds: float
    usd: float
    verdict: str


@dataclass(frozen=True, slots=True)
class CategoryView:
    """One category as it stands.

    `share` is what it has of the store's capacity and `entitlement` what it may have while others
    want room too, both in [0, 1], of entries or of bytes, whichever is more. `threshold` is the
    least score that is served now, None where nothing is; it lies between those of `normal` and
    `overload` by `load`, in [0, 1]. `ttl` in seconds, as in force now. `false_hits`: the share of
    served semantic hits that were wrong. `lookups` and `hits` are those of the semantic tier since
    the start.
    """

    policy: CategoryPolicy
    entries: int
    bytes: int
    share: float
    entitlement: float
    lookups: int
    hits: int
    threshold: float | None
    normal: Bar
    overload: Bar
    load: float
    ttl: float
    false_hits: Estimate
    benefit: Benefit
    paused: bool

    @property
    def hit_rate(self) -> float | None:
        """The share of lookups that hit; None of none."""
        return self.hits / self.lookups if self.lookups else None


class CategoriesSource(Protocol):
    """Where the endpoint has it from."""

    def view(self) -> Sequence[CategoryView]:
        """Return all categories of the policy file, in its order. Called on the event loop."""
        ...


def categories_json(views: Sequence[CategoryView]) -> bytes:
    """Return the reply; `CategoriesResult` describes it. What is not finite is null."""
    return orjson.dumps({"categories": [_shown(view) for view in views]})


def _shown(view: CategoryView) -> dict[str, Any]:
    policy = asdict(view.policy)
    # Examples are long, and they are the operator's own text.
    policy["examples"] = len(view.policy.examples)
    return {
        "category": policy.pop("name"),
        "entries": view.entries,
        "bytes": view.bytes,
        "share": view.share,
        "entitlement": view.entitlement,
        "lookups": view.lookups,
        "hits": view.hits,
        "hit_rate": view.hit_rate,
        "threshold": view.threshold,
        "normal": asdict(view.normal),
        "overload": asdict(view.overload),
        "load": view.load,
        "ttl": view.ttl,
        "false_hits": asdict(view.false_hits),
        "benefit": asdict(view.benefit),
        "paused": view.paused,
        "policy": policy,
    }
