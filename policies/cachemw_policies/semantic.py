"""Which semantic candidate, if any, may be served.

For now one global similarity threshold decides. The signature is what the request path relies on:
candidates in, a decision out, no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored answer whose question is near: its key and cosine similarity in [-1, 1]."""

    key: bytes
    similarity: float


@dataclass(frozen=True, slots=True)
class Decision:
    """What may be served, best first, and what it was measured against.

    More than one candidate is kept because the best one's document may have expired or been
    evicted between the search and the fetch.
    """

    servable: tuple[Candidate, ...]
    best_similarity: float | None
    threshold: float


def effective_threshold(configured: float, requested: float | None) -> float:
    """Return the threshold in force: a client may raise it, never lower it."""
    return configured if requested is None else max(configured, requested)


def decide(candidates: Sequence[Candidate], threshold: float) -> Decision:
    """Keep the candidates at or above `threshold`, most similar first (own design)."""
    ranked = sorted(candidates, key=lambda candidate: -candidate.similarity)
    return Decision(
        servable=tuple(c for c in ranked if c.similarity >= threshold),
        best_similarity=ranked[0].similarity if ranked else None,
        threshold=threshold,
    )
