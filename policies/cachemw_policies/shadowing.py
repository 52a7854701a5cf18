"""How many served hits are checked upstream in the background (own design).

A check costs an upstream call, which is what the hit was to save. So everything is checked while
little is known, and a small share once the interval of the error rate is narrow against `delta`.
After a drift the pool of labels is short again, and its interval wide: no rule of its own is
needed. That it is noticed does not rest on these few checks but on the judged misses.
"""

from __future__ import annotations

from dataclasses import dataclass

from cachemw_policies import bounds


@dataclass(frozen=True, slots=True)
class ShadowSettings:
    """When checks are made, and how many.

    `share`: of served hits, what is checked in the long run; `dense`: labels at or above the
    threshold up to which all are. The share goes from all to `share` as the interval of the error
    rate narrows from `wide` to `narrow`, in multiples of `delta`. `overload` is the load in [0, 1]
    from which nothing is checked. `per_minute`: of a token bucket (`budget`) from which each check
    takes one.
    """

    share: float = 0.02
    dense: int = 100
    narrow: float = 0.2
    wide: float = 0.8
    overload: float = 0.5
    per_minute: float = 60.0


def shadow_probability(
    labels: float,
    errors: float,
    delta: float,
    settings: ShadowSettings,
    *,
    load: float = 0.0,
    tokens: float = 1.0,
) -> float:
    """Return the probability with which a served hit is checked.

    `labels` at or above the threshold in force and `errors` among them, as `guarantee.known`
    counts them. `tokens`: what is left in the bucket. Judged misses of the same time have the
    probability that is returned as their weight, 0 included; where nothing is served, 1.
    """
    if load >= settings.overload or tokens < 1:
        return 0.0
    if labels < settings.dense or delta <= 0:
        return 1.0
    low, high = bounds.interval(errors, labels)
    width = (high - low) / delta
    doubt = (width - settings.narrow) / (settings.wide - settings.narrow)
    return settings.share + min(1.0, max(0.0, doubt)) * (1.0 - settings.share)
