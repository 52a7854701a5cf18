"""How much of a budget per minute is left.

A token bucket that refills continuously and holds one minute's worth (own design). Over any span
of t seconds it lets through at most `per_minute` x (1 + t/60): a client that has been silent may
spend a minute's worth at once, and none is ever locked out until a window turns over. What is
spent may be known only afterwards, as tokens are: the bucket can then owe, and pays that back
first, so that the average rate holds whatever one request cost.
"""

from __future__ import annotations

from typing import NamedTuple

_MINUTE = 60.0


class Bucket(NamedTuple):
    """`left` of the budget, negative where it owes, as of `at` in seconds of a monotonic clock."""

    left: float
    at: float


def refilled(bucket: Bucket, per_minute: float, now: float) -> Bucket:
    """Return the bucket as it is `now`. A clock that seems to go back refills nothing."""
    passed = now - bucket.at
    if passed <= 0:
        return bucket
    return Bucket(min(per_minute, bucket.left + passed * per_minute / _MINUTE), now)


def spent(bucket: Bucket, amount: float) -> Bucket:
    """Return the bucket after `amount` was taken out, into debt if need be."""
    return Bucket(bucket.left - amount, bucket.at)


def seconds_until(bucket: Bucket, per_minute: float, amount: float) -> float:
    """Return how long it takes from `bucket.at` until `amount` is there; 0 if it is."""
    return max(0.0, (min(amount, per_minute) - bucket.left) * _MINUTE / per_minute)
