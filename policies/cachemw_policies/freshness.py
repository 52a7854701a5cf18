"""How old an answer may be. Times are Unix seconds, durations seconds.

The TTL is absolute: it counts from when the answer was generated, and a hit does not extend it.
"""

from __future__ import annotations

from typing import NamedTuple


class Freshness(NamedTuple):
    """The age of a stored answer and how long it may still be served."""

    age: float
    ttl_left: float

    @property
    def servable(self) -> bool:
        """Whether the answer is still within every limit."""
        return self.ttl_left > 0


def freshness(
    created_at: float, expires_at: float, now: float, max_age: float | None = None
) -> Freshness:
    """Weigh an answer against its own expiry and the client's `max_age`, the tighter one wins.

    A clock that was set back makes an answer look younger than new: its age is then 0. An answer
    is fresh while its lifetime exceeds its age (RFC 9111, section 4.2), so `max-age=0` allows none.
    """
    age = max(0.0, now - created_at)
    ttl_left = expires_at - now
    if max_age is not None:
        ttl_left = min(ttl_left, max_age - age)
    return Freshness(age, ttl_left)


def effective_ttl(configured: float, requested: float | None) -> float:
    """Return the TTL in force: a client may shorten it, never extend it."""
    return configured if requested is None else min(configured, requested)
