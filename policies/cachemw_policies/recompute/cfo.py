"""How much of a stored chunk to recompute behind another prefix (Cache-Craft, arXiv 2502.15734).

Attention sums are of one variant, over its tokens, means over layers and heads: inter(Ci, Cj) to an
earlier chunk j, intra(Ci) to itself. Which chunks are the same is told by their hashes. Where one
stands several times in a prefix, its places are matched in order: first with first. What the paper
does not say is own design: repeated chunks, and overlaps that are not known.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations


@dataclass(frozen=True, slots=True)
class Taken:
    """What a variant took from the chunks before it and from itself.

    `behind`: hash of each earlier chunk, in order; `lengths`: its tokens (>= 1), `inter_sums`:
    attention to it; as many as `behind`. `intra`: attention to itself. `tokens`: of the chunk.
    """

    behind: Sequence[bytes]
    lengths: Sequence[int]
    inter_sums: Sequence[float]
    intra: float
    tokens: int

    def __post_init__(self) -> None:
        if not len(self.behind) == len(self.lengths) == len(self.inter_sums):
            raise ValueError("behind, lengths and inter_sums have one entry a chunk")
        if self.tokens < 1 or any(length < 1 for length in self.lengths):
            raise ValueError("a chunk has at least one token")


@dataclass(frozen=True, slots=True)
class Fix:
    """`cfo`: the share to recompute, 0..1. `overlap`: beta', None where it is not known."""

    cfo: float
    overlap: float | None


def fix(taken: Taken, now_behind: Sequence[bytes], alpha: float) -> Fix:
    """Return CFO = alpha x CCI x (1 - beta'), at most 1; an unknown overlap counts as none.

    `now_behind`: hashes of the chunks that stand before it now. Raises ValueError where `alpha` is
    negative.
    """
    if not alpha >= 0:
        raise ValueError(f"alpha is {alpha}, not at least 0")
    known = overlap(taken, now_behind)
    return Fix(min(1.0, alpha * context_impact(taken) * (1 - (known or 0.0))), known)


def overlap(taken: Taken, now_behind: Sequence[bytes]) -> float | None:
    """Return beta' = beta (1 - gamma), 0..1: how much of what the chunk took is there again.

    None where nothing is known: no chunk stood before it, or it took nothing from any.
    """
    total = math.fsum(taken.inter_sums)
    if not total > 0:
        return None
    was, now = _numbered(taken.behind), _numbered(now_behind)
    there = set(now)
    shared = (taken.inter_sums[i] for i, chunk in enumerate(was) if chunk in there)
    return min(1.0, math.fsum(shared) / total) * (1 - _disorder(was, now))


def disorder(was: Sequence[bytes], now: Sequence[bytes]) -> float:
    """Return gamma = D / C(m, 2), 0..1: discordant pairs of the m chunks common to both prefixes.

    The Kendall tau distance, normalised; 0 where fewer than two are common.
    """
    return _disorder(_numbered(was), _numbered(now))


def context_impact(taken: Taken) -> float:
    """Return CCI = 1 / (1 + exp(-a / b)), 0.5..1: how far the chunk depends on what stood before.

    a = sum over j of inter(Ci, Cj) / (|Ci| |Cj|), b = intra / |Ci|^2. Where intra is 0 it is 1 if
    the chunk took anything from others, and 0.5 if not.
    """
    outside = math.fsum(
        inter / (taken.tokens * length)
        for inter, length in zip(taken.inter_sums, taken.lengths, strict=True)
    )
    inside = taken.intra / taken.tokens**2
    if not outside > 0:
        return 0.5
    if not inside > 0:
        return 1.0
    return 1 / (1 + math.exp(-outside / inside))


def _numbered(chunks: Sequence[bytes]) -> list[tuple[bytes, int]]:
    """Return the chunks told apart: the second of the same hash is (hash, 1)."""
    seen: Counter[bytes] = Counter()
    numbered = []
    for chunk in chunks:
        numbered.append((chunk, seen[chunk]))
        seen[chunk] += 1
    return numbered


def _disorder(was: list[tuple[bytes, int]], now: list[tuple[bytes, int]]) -> float:
    place = {chunk: i for i, chunk in enumerate(now)}
    common = [place[chunk] for chunk in was if chunk in place]
    if len(common) < 2:
        return 0.0
    return sum(a > b for a, b in combinations(common, 2)) / math.comb(len(common), 2)
