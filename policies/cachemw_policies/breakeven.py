"""Whether the semantic lookups of a category earn more than they cost (own design).

Every lookup costs time, hits and misses alike; only hits save any. Both are counted in seconds of
waiting, money being turned into seconds at `usd_per_second`, so that one account says it all.

What earns is rare and large, a few hits of seconds each, and what costs is frequent and small. A
normal interval of the mean is worthless there: before the first hit it has no width. So the savings
are taken as a weighted sum of Poisson counts, and bounded by the gamma interval of Fay & Feuer
(Statistics in Medicine 16, 1997), which is exact where all hits save the same and known to err on
the safe side elsewhere. The costs were all seen and need no interval.

An account forgets by lookups and not by time: a verdict rests on lookups, and a category that is
asked for once a minute must get there too. It is watched all the time, so that a verdict at 95 %
would sooner or later be wrong for every category; hence the strict `confidence`. Whoever pauses
wrongly loses seconds a hit and whoever resumes wrongly loses milliseconds a lookup: resuming asks
for less. With a pause the account begins anew, so that only what came since speaks for its end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from statistics import NormalDist
from typing import NamedTuple


class Verdict(StrEnum):
    """What the account of a category says; the values are metric labels."""

    EARNING = "earning"
    LOSING = "losing"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class BreakEvenSettings:
    """`half_life`: lookups after which one counts half; `least` lookups go before any verdict.

    `confidence` of a pause and `resume_confidence` of its end are one-sided. `probes`: the share of
    lookups that are made while paused. `usd_per_second`: what a second of waiting is worth;
    `cpu_usd_per_hour`: what the processor costs that a lookup keeps busy. `assumed_saving`: seconds
    that a hit is taken to save before there was one.
    """

    half_life: float = 5000.0
    least: float = 20.0
    confidence: float = 0.999
    resume_confidence: float = 0.95
    probes: float = 0.05
    usd_per_second: float = 0.001
    cpu_usd_per_hour: float = 0.05
    assumed_saving: float = 2.0

    def __post_init__(self) -> None:
        if not (self.half_life > 0 and self.usd_per_second > 0 and self.assumed_saving > 0):
            raise ValueError("half_life, usd_per_second and assumed_saving are above 0")
        if not (0.5 <= self.confidence < 1 and 0.5 <= self.resume_confidence < 1):
            raise ValueError("confidences are in [0.5, 1)")
        if not 0 < self.probes <= 1:
            raise ValueError("without probes a paused category would never come back")

    @cached_property
    def kept(self) -> float:
        """The share of an account that one lookup leaves."""
        return math.exp2(-1.0 / self.half_life)

    @cached_property
    def pause_z(self) -> float:
        """Standard normal quantile of `confidence`."""
        return NormalDist().inv_cdf(self.confidence)

    @cached_property
    def resume_z(self) -> float:
        """Standard normal quantile of `resume_confidence`."""
        return NormalDist().inv_cdf(self.resume_confidence)

    @cached_property
    def second_of_cpu(self) -> float:
        """Seconds of waiting that a second of lookup costs: the wait itself and the processor."""
        return 1.0 + self.cpu_usd_per_hour / 3600.0 / self.usd_per_second


class Account(NamedTuple):
    """What is remembered of a category, the newest lookup with weight 1.

    `lookups` and `hits` are sums of weights; `cost`, `saved` those of seconds of waiting, money
    included; `saved_squares` that of squares of weighted savings. `saving` is what a hit should
    save, None before anything is known. `since`: when `paused` last changed.
    """

    lookups: float = 0.0
    hits: float = 0.0
    cost: float = 0.0
    saved: float = 0.0
    saved_squares: float = 0.0
    saving: float | None = None
    paused: bool = False
    since: float | None = None

    @property
    def hit_rate(self) -> float:
        """The share of lookups that hit; 0 of none."""
        return self.hits / self.lookups if self.lookups else 0.0

    @property
    def net(self) -> float:
        """Seconds that a lookup wins, negative where it loses; 0 before the first."""
        return (self.saved - self.cost) / self.lookups if self.lookups else 0.0


_NEWEST = 1 / 32
"""How much an answer moves what a hit is expected to save; the first ones do not rule it alone."""


def looked_up(
    account: Account,
    settings: BreakEvenSettings,
    *,
    cost_s: float,
    saved_s: float | None,
    saved_usd: float = 0.0,
    now: float = 0.0,
) -> Account:
    """Return the account after a lookup that took `cost_s` seconds.

    `saved_s`: what the call would have taken that a hit saved, without the lookup's own cost, and
    None for a miss. This is also where a pause begins and ends.
    """
    kept = settings.kept
    lookups, hits = account.lookups * kept + 1.0, account.hits * kept
    cost = account.cost * kept + cost_s * settings.second_of_cpu
    saved, squares = account.saved * kept, account.saved_squares * kept * kept
    saving = account.saving
    if saved_s is not None:
        value = saved_s + saved_usd / settings.usd_per_second
        hits += 1.0
        saved += value
        squares += value * value
        saving = _expected(account, settings, value)
    moved = Account(lookups, hits, cost, saved, squares, saving, account.paused, account.since)
    return _settled(moved, settings, now)


def answered(
    account: Account, settings: BreakEvenSettings, seconds: float, usd: float = 0.0
) -> Account:
    """Return the account after a call was made: what a hit would have saved there.

    It is how a category without hits gets to know what one would be worth.
    """
    value = seconds + usd / settings.usd_per_second
    return account._replace(saving=_expected(account, settings, value))


def verdict(account: Account, settings: BreakEvenSettings) -> Verdict:
    """Judge an account, with more confidence where it is not paused yet."""
    if account.lookups < settings.least:
        return Verdict.LOSING if account.paused else Verdict.UNKNOWN
    if upper(account, settings, settings.pause_z) < account.cost:
        return Verdict.LOSING
    if lower(account, settings.resume_z) > account.cost:
        return Verdict.EARNING
    return Verdict.LOSING if account.paused else Verdict.UNKNOWN


def lookup_probability(account: Account, settings: BreakEvenSettings) -> float:
    """Return the share of lookups to be made."""
    return settings.probes if account.paused else 1.0


def interval(account: Account, settings: BreakEvenSettings) -> tuple[float, float]:
    """Return from where to where the net seconds of a lookup are, one-sided 95 % each."""
    if not account.lookups:
        return -math.inf, math.inf
    low, high = lower(account, _Z95), upper(account, settings, _Z95)
    return (low - account.cost) / account.lookups, (high - account.cost) / account.lookups


def break_even(account: Account, settings: BreakEvenSettings) -> float:
    """Return the hit rate at which savings and costs are even; above 1 it cannot be reached."""
    saving = _next_saving(account, settings)
    if not account.lookups or saving <= 0:
        return 0.0 if not account.cost else math.inf
    return account.cost / account.lookups / saving


def upper(account: Account, settings: BreakEvenSettings, z: float) -> float:
    """Bound the expected savings from above, at the confidence of the normal quantile `z`.

    Fay & Feuer: as if one more hit had come, of the size that hits have.
    """
    one_more = _next_saving(account, settings)
    return _gamma(account.saved + one_more, account.saved_squares + one_more * one_more, z)


def lower(account: Account, z: float) -> float:
    """Bound the expected savings from below, at the confidence of the normal quantile `z`."""
    return _gamma(account.saved, account.saved_squares, -z)


_Z95 = NormalDist().inv_cdf(0.95)


def _gamma(mean: float, variance: float, z: float) -> float:
    """Return the quantile of the gamma distribution with this mean and variance.

    Wilson & Hilferty (1931): the cube root is nearly normal. From a mean of one hit on it is within
    7 % of the exact quantile at the confidences used here, and costs no special function.
    """
    if mean <= 0 or variance <= 0:
        return 0.0
    spread = variance / (9.0 * mean * mean)
    root = 1.0 - spread + z * math.sqrt(spread)
    return float(mean * max(0.0, root) ** 3)


def _expected(account: Account, settings: BreakEvenSettings, value: float) -> float:
    saving = _next_saving(account, settings)
    return saving + _NEWEST * (value - saving)


def _next_saving(account: Account, settings: BreakEvenSettings) -> float:
    return settings.assumed_saving if account.saving is None else account.saving


def _settled(account: Account, settings: BreakEvenSettings, now: float) -> Account:
    """Begin a pause or end it; either way the account begins anew."""
    judged = verdict(account, settings)
    if judged is (Verdict.EARNING if account.paused else Verdict.LOSING):
        return Account(saving=account.saving, paused=not account.paused, since=now)
    return account
