"""Whether a failed upstream call is made anew, and how long to wait before that.

Exponential backoff with full jitter: M. Brooker, "Exponential Backoff And Jitter" (AWS, 2015).
Headers: RFC 9110, section 10.2.3, and `retry-after-ms` and `x-should-retry` as OpenAI's client
libraries (`_base_client.py`) read them. Times are seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

# Failures that may be over at the next try; anything else is the client's or lasts.
TRANSIENT_STATUSES = frozenset({408, 409, 429, 500, 502, 503, 504, 529})


@dataclass(frozen=True, slots=True)
class RetryRules:
    """At most `retries` further calls; the waits before them grow from `base_s`, up to `max_s`."""

    retries: int
    base_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class Attempts:
    """How a request stands: `made` calls so far, `left_s` of its total time limit.

    `asked_s` is the wait that the upstream asked for, None where it did not. `needs_s` is what
    another call must have left to make sense. `forbidden` where upstream said not to retry.
    """

    made: int
    left_s: float
    asked_s: float | None = None
    needs_s: float = 0.0
    forbidden: bool = False


def wait_before_retry(rules: RetryRules, attempts: Attempts, uniform: float) -> float | None:
    """Return the seconds to wait before the next call, None where there should be none.

    `uniform` is a random number in [0, 1). The upstream's own wish goes before the backoff; one
    that is longer than `rules.max_s` is the client's to wait for.
    """
    if attempts.forbidden or attempts.made > rules.retries:
        return None
    if attempts.asked_s is not None:
        wait = attempts.asked_s
        if wait > rules.max_s:
            return None
    else:
        # ldexp: no overflow, whatever the count.
        wait = uniform * min(rules.max_s, math.ldexp(rules.base_s, min(attempts.made - 1, 64)))
    return wait if wait + attempts.needs_s <= attempts.left_s else None


def asked_wait(after_ms: str, after: str, now: float) -> float | None:
    """Return the wait that `retry-after-ms` or `Retry-After` asks for, None where neither does.

    `now` is Unix time, for a date. What cannot be read, and what is negative, asks for nothing.
    """
    for text, unit in ((after_ms, 1e-3), (after, 1.0)):
        seconds = _number(text)
        if seconds is not None:
            return seconds * unit
    try:
        date = parsedate_to_datetime(after)
    except (TypeError, ValueError, OverflowError):
        return None
    # A date without a zone is UTC, as HTTP has no other.
    aware = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return max(0.0, aware.timestamp() - now)


def allowed_retries(configured: int, retry_count: str) -> int:
    """Return how many retries a request gets: none if it is a retry of its client's already.

    `retry_count` is the header `x-stainless-retry-count`, which OpenAI's client libraries send with
    every call: 0 with the first. Together with `x-should-retry: false` on what was retried here in
    vain, a request is made no more often than either side alone would (own design).
    """
    return configured if retry_count.strip() in ("", "0") else 0


def counts_against_upstream(status: int) -> bool:
    """Whether a reply's status shows that the upstream itself is in trouble.

    500 may be the doing of the one request: a client that knows such a request must not be able to
    shut the upstream for all others.
    """
    return status > 501


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value >= 0 else None
