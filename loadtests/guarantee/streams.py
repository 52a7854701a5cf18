"""Streams of lookups, drawn from judged pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtests.guarantee.data import Floats, Judged

#: Of all lookups, those that find no candidate.
NOTHING_NEAR = 0.3
_MIN_REPEATS = 6

Rows = NDArray[np.intp]
Draw = Callable[[Judged, int, np.random.Generator], Rows]


@dataclass(frozen=True, slots=True)
class Stream:
    """Lookups in their order, arrays of shape [lookups]; `near` is False without a candidate.

    `heard` is what a comparison of the answers says, which is `same` unless labels are noisy.
    """

    near: NDArray[np.bool_]
    scores: Floats
    cosines: Floats
    same: NDArray[np.bool_]
    heard: NDArray[np.bool_]
    entries: Rows

    def __len__(self) -> int:
        return len(self.near)


def at_rate(rate: float, among: Callable[[Judged], NDArray[np.bool_]] | None = None) -> Draw:
    """Draw pairs of which a share `rate` are duplicates, of those that `among` lets through."""

    def draw(pairs: Judged, number: int, rng: np.random.Generator) -> Rows:
        usable = np.ones(len(pairs), dtype=np.bool_) if among is None else among(pairs)
        same = np.flatnonzero(usable & pairs.same)
        other = np.flatnonzero(usable & ~pairs.same)
        duplicate = rng.random(number) < rate
        return np.where(duplicate, rng.choice(same, number), rng.choice(other, number))

    return draw


def as_is(pairs: Judged, number: int, rng: np.random.Generator) -> Rows:
    """Draw pairs as they are."""
    return rng.integers(0, len(pairs), number)


def repeated(pairs: Judged, number: int, rng: np.random.Generator) -> Rows:
    """Draw from the clusters of many pairs, as if each were one entry; some more often."""
    found, counts = np.unique(pairs.entries, return_counts=True)
    entries = rng.permutation(found[counts >= _MIN_REPEATS])
    popularity = 1.0 / np.arange(1, len(entries) + 1) ** 0.7
    asked = rng.choice(entries, number, p=popularity / popularity.sum())
    rows = np.argsort(pairs.entries, kind="stable")
    first = np.searchsorted(pairs.entries[rows], asked, side="left")
    last = np.searchsorted(pairs.entries[rows], asked, side="right")
    return np.asarray(rows[first + (rng.random(number) * (last - first)).astype(np.intp)])


def then(first: Draw, second: Draw) -> Draw:
    """Draw the first half by one rule and the second by another."""

    def draw(pairs: Judged, number: int, rng: np.random.Generator) -> Rows:
        half = number // 2
        return np.concatenate((first(pairs, half, rng), second(pairs, number - half, rng)))

    return draw


def short(pairs: Judged) -> NDArray[np.bool_]:
    """Which questions are no longer than most."""
    return pairs.words <= np.median(pairs.words)


def lengthy(pairs: Judged) -> NDArray[np.bool_]:
    """Which questions are longer than most."""
    return ~short(pairs)


def alike(pairs: Judged) -> NDArray[np.bool_]:
    """All duplicates, and of the others the third that is nearest by cosine."""
    nearest = np.quantile(pairs.cosines[~pairs.same], 2 / 3)
    return pairs.same | (pairs.cosines >= nearest)


STREAMS: Mapping[str, Draw] = {
    "as it is": as_is,
    "20 % duplicates": at_rate(0.20),
    "68 % duplicates": at_rate(0.68),
    "46 %, then 15 % duplicates": then(at_rate(0.46), at_rate(0.15)),
    "short, then long questions": then(at_rate(0.46, short), at_rate(0.30, lengthy)),
    "then harder others": then(at_rate(0.40), at_rate(0.40, alike)),
    "repeated entries": repeated,
}


def stream(
    draw: Draw, pairs: Judged, lookups: int, rng: np.random.Generator, noise: float = 0.0
) -> Stream:
    """Draw a stream; `noise` is the share of labels that are flipped."""
    near = rng.random(lookups) >= NOTHING_NEAR
    chosen = pairs.take(draw(pairs, lookups, rng))
    flipped = rng.random(lookups) < noise
    return Stream(
        near=near,
        scores=np.where(near, chosen.scores, -1.0),
        cosines=np.where(near, chosen.cosines, -1.0),
        same=chosen.same & near,
        heard=(chosen.same ^ flipped) & near,
        entries=chosen.entries,
    )
