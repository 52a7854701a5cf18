"""What is known of served and of possible hits: a score, and whether the answer was right."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Source(StrEnum):
    """Who said so; the values are metric labels."""

    SHADOW = "shadow"  # a served hit, compared with a fresh answer
    MISS = "miss"  # a candidate that was not served, compared with the answer that was fetched
    FEEDBACK = "feedback"  # a client's word on a served hit
    OFFLINE = "offline"  # `cachemw calibrate`


@dataclass(frozen=True, slots=True)
class Label:
    """One judged candidate.

    `score` is that of the candidate in [0, 1], on the scale of the verifier `scale`: scores of
    different verifiers are never pooled. `at` in seconds since the epoch. `weight` in [0, 1]: the
    share of served hits that were checked when a candidate that was not served was judged, as if
    one coin had been thrown for both (`guarantee`); 1 for all others.
    """

    category: str
    score: float
    right: bool
    source: Source
    scale: str
    at: float
    weight: float = 1.0
