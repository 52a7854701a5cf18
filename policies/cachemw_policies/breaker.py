"""A circuit breaker: when a dependency that keeps failing is left alone, and when tried again.

    CLOSED      everything may go; `failures` in a row open it
    OPEN        nothing may go until `seconds` have passed
    HALF_OPEN   one call, the probe, is under way: its success closes, its failure opens again

The pattern is M. Nygard's ("Release It!", 2007). Own design: an outcome counts only if its call
began in the present state. A timeout of a call from before the recovery must not count against
what has recovered, and a slow success from before the failure does not show that it is over.

The caller keeps the `Breaker` and passes the time of a clock that never goes back, in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from math import inf


class BreakerState(Enum):
    """What may go: everything, nothing, or one probe."""

    CLOSED = auto()
    OPEN = auto()
    HALF_OPEN = auto()


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """`failures` in a row open the breaker; a probe goes every `seconds` from then on."""

    failures: int
    seconds: float

    def __post_init__(self) -> None:
        if self.failures < 1 or not self.seconds > 0:
            msg = f"a breaker needs failures >= 1 and seconds > 0, not {self}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Breaker:
    """The state, the time it began, failures in a row, and when the next probe may go."""

    state: BreakerState = BreakerState.CLOSED
    since: float = -inf
    failures: int = 0
    probe_at: float = inf


def admit(breaker: Breaker, policy: BreakerPolicy, now: float) -> tuple[Breaker, bool]:
    """Return the breaker after somebody asked to call at `now`, and whether they may.

    A probe of which nothing is heard for `policy.seconds` does not hold up the next one.
    """
    if breaker.state is BreakerState.CLOSED:
        return breaker, True
    if now < breaker.probe_at:
        return breaker, False
    since = now if breaker.state is BreakerState.OPEN else breaker.since
    probing = Breaker(BreakerState.HALF_OPEN, since, breaker.failures, now + policy.seconds)
    return probing, True


def succeeded(breaker: Breaker, began: float, now: float) -> Breaker:
    """Return the breaker after a call that began at `began` has succeeded at `now`."""
    if breaker.state is BreakerState.OPEN or began < breaker.since:
        return breaker
    if breaker.state is BreakerState.HALF_OPEN:
        return Breaker(since=now)
    return breaker if breaker.failures == 0 else replace(breaker, failures=0)


def failed(breaker: Breaker, policy: BreakerPolicy, began: float, now: float) -> Breaker:
    """Return the breaker after a call that began at `began` has failed at `now`."""
    if breaker.state is BreakerState.OPEN or began < breaker.since:
        return breaker
    failures = breaker.failures + 1
    if breaker.state is BreakerState.CLOSED and failures < policy.failures:
        return replace(breaker, failures=failures)
    return replace(tripped(policy, now), failures=failures)


def tripped(policy: BreakerPolicy, now: float) -> Breaker:
    """Return a breaker that is open from `now`: for what is known to be away without a call."""
    return Breaker(BreakerState.OPEN, now, policy.failures, now + policy.seconds)
