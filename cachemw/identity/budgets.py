"""What a key has spent: requests and tokens a minute.

Budgets are kept by each process for itself. With N workers or replicas a key may spend up to N
times its budget, as the load balancer spreads its requests; divide the budgets by N where that
matters. They are forgotten at a restart.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from cachemw_policies.budget import Bucket, refilled, seconds_until, spent

from cachemw.errors import RateLimited

Header = tuple[bytes, bytes]


class Budget:
    """`per_minute` of something, `name`d as in OpenAI's headers."""

    def __init__(self, name: str, per_minute: int, monotonic: Callable[[], float]) -> None:
        self._name = name
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._bucket = Bucket(per_minute, monotonic())
        # Every reply says it: what does not change is written once.
        self._limit: Header = (f"x-ratelimit-limit-{name}".encode(), b"%d" % per_minute)
        self._remaining = f"x-ratelimit-remaining-{name}".encode()
        self._reset = f"x-ratelimit-reset-{name}".encode()

    def require(self) -> None:
        """Raise RateLimited unless at least one is left."""
        self._bucket = refilled(self._bucket, self._per_minute, self._monotonic())
        if self._bucket.left < 1:
            wait = math.ceil(seconds_until(self._bucket, self._per_minute, 1))
            raise RateLimited(
                f"The limit of {self._per_minute} {self._name} a minute is reached; "
                f"try again in {wait} s.",
                retry_after=wait,
                headers=self.headers(),
            )

    def spend(self, amount: int) -> None:
        """Take `amount` out, also if that much is not there."""
        now = refilled(self._bucket, self._per_minute, self._monotonic())
        self._bucket = spent(now, amount)

    def headers(self) -> list[Header]:
        """Return OpenAI's headers: the limit, what is left, and how long until all is back."""
        left = self._bucket.left
        reset = seconds_until(self._bucket, self._per_minute, self._per_minute)
        return [
            self._limit,
            (self._remaining, b"%d" % max(0.0, left)),
            (self._reset, duration(reset)),
        ]


@dataclass(frozen=True, slots=True)
class Account:
    """The budgets of one key; None where there is no limit.

    A request counts when it is admitted, whoever answers it. Tokens count when an upstream has
    spent them, so answers from the cache are free; of a call that several share, the request that
    caused it pays. As that is known only afterwards, requests under way together can overdraw the
    budget: what is owed is paid back before the next is admitted.
    """

    requests: Budget | None = None
    tokens: Budget | None = None

    def admit(self) -> None:
        """Count a request. Raises RateLimited, in which case it counts for nothing."""
        if self.tokens is not None:
            self.tokens.require()
        if self.requests is not None:
            self.requests.require()
            self.requests.spend(1)

    def headers(self) -> list[Header]:
        """Return what a reply says of the budgets."""
        requests = [] if self.requests is None else self.requests.headers()
        return requests if self.tokens is None else requests + self.tokens.headers()


def duration(seconds: float) -> bytes:
    """Write a duration the way OpenAI does: 120ms, 6s, 1m30s, 2h0m0s."""
    if seconds < 1:
        return b"%dms" % math.ceil(1000 * seconds)
    whole = math.ceil(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return b"%dh%dm%ds" % (hours, minutes, rest)
    return b"%dm%ds" % (minutes, rest) if minutes else b"%ds" % rest
