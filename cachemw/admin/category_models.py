"""What `GET /cache/categories` gives, as its OpenAPI description shows it."""

from __future__ import annotations

from pydantic import BaseModel, Field


class BarShown(BaseModel):
    """A threshold on the score and where it comes from; null serves nothing.

    `labels` at or above it were judged, `errors` of them wrong.
    """

    threshold: float | None
    origin: str
    labels: int
    errors: int


class EstimateShown(BaseModel):
    """A share with its 95 % interval; `ratio` is null where nothing was judged."""

    ratio: float | None
    low: float
    high: float
    labels: int


class BenefitShown(BaseModel):
    """What hits saved less what lookups cost, since the start."""

    seconds: float | None
    usd: float | None
    verdict: str = Field(examples=["earning", "losing", "unknown"])


class QuotaShown(BaseModel):
    """Shares of the store's capacity."""

    guaranteed: float
    cap: float


class PolicyShown(BaseModel):
    """The policy file's values, or their defaults. Seconds; `examples` is how many there are."""

    threshold: float
    ttl: float
    sliding: bool
    quota: QuotaShown
    priority: float
    allow_caching: bool
    delta: float
    delta_overload: float
    ttl_overload: float
    safety_critical: bool
    personalised: bool
    examples: int


class CategoryShown(BaseModel):
    """One category as it stands in the worker that answers."""

    category: str
    entries: int
    bytes: int
    share: float = Field(description="Of the store's capacity, in [0, 1].")
    entitlement: float = Field(description="The share it may have while others want room too.")
    lookups: int = Field(description="Of the semantic tier, since the start.")
    hits: int
    hit_rate: float | None
    threshold: float | None = Field(description="In force now; null serves nothing.")
    normal: BarShown
    overload: BarShown
    load: float = Field(description="0 uses `normal`, 1 uses `overload`.")
    ttl: float = Field(description="In force now, in seconds.")
    false_hits: EstimateShown
    benefit: BenefitShown
    paused: bool
    policy: PolicyShown


class CategoriesResult(BaseModel):
    """All categories, in the order of the policy file."""

    categories: list[CategoryShown]
