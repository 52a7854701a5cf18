"""The write gates: whether an answer may be stored, asked in a fixed order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SkipReason(StrEnum):
    """Why an answer was not stored; the values are metric labels."""

    SCOPE = "scope"
    NO_STORE = "no_store"
    STATUS = "status"
    INCOMPLETE = "incomplete"
    BLOCKED = "blocked"
    TRUNCATED = "truncated"
    CATEGORY = "category"
    SIZE = "size"
    PERSONAL = "personal"
    TTL = "ttl"
    PURGED = "purged"


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """What the gates need to know of an answer.

    `complete` means that every choice has its finish reason and the stream reached its end,
    `truncated` that a length limit ended it, `blocked` that a content filter did. `size` is in
    bytes.
    """

    status: int
    complete: bool
    truncated: bool
    blocked: bool
    size: int
    purged: bool = False


@dataclass(frozen=True, slots=True)
class StoreRules:
    """What request, policy and configuration say about storing.

    `category` is whether the category allows it, `personal` whether the question holds personal
    data that its policy keeps out. `ttl` in seconds, `max_size` in bytes.
    """

    in_scope: bool
    store: bool
    store_truncated: bool
    max_size: int
    ttl: float
    category: bool = True
    personal: bool = False


def why_not_store(answer: AnswerFacts, rules: StoreRules) -> SkipReason | None:
    """Return the first gate that is closed, or None when the answer may be stored."""
    gates = (
        (rules.in_scope, SkipReason.SCOPE),
        (rules.store, SkipReason.NO_STORE),
        (200 <= answer.status < 300, SkipReason.STATUS),
        (answer.complete, SkipReason.INCOMPLETE),
        (not answer.blocked, SkipReason.BLOCKED),
        (not answer.truncated or rules.store_truncated, SkipReason.TRUNCATED),
        (rules.category, SkipReason.CATEGORY),
        (answer.size <= rules.max_size, SkipReason.SIZE),
        (not rules.personal, SkipReason.PERSONAL),
        (rules.ttl > 0, SkipReason.TTL),
        (not answer.purged, SkipReason.PURGED),
    )
    return next((reason for is_open, reason in gates if not is_open), None)
