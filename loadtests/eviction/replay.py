"""A stream replayed through policies, and what that saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from statistics import mean, stdev
from types import MappingProxyType

import numpy as np
from cachemw_policies.eviction import HALF_LIFE
from numpy.typing import NDArray

from loadtests.eviction.batched import Batched, Clairvoyant, Decaying, Gdsf
from loadtests.eviction.classic import Lfu, Lru, Policy, TinyLfu, Unbounded
from loadtests.eviction.streams import Stream

#: Makes a policy for a stream and a capacity in bytes.
Make = Callable[[Stream, float], Policy]

#: Student's t for 95 % by how many runs there are.
_T = MappingProxyType({2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571})


@dataclass(frozen=True, slots=True)
class Score:
    """Parts of all requests, of the bytes they asked for and of the seconds hits could save."""

    hits: float
    bytes: float
    saved: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over runs with other seeds, and how far the true one may be off (95 %)."""

    value: float
    reach: float

    @classmethod
    def of(cls, runs: Sequence[float]) -> Estimate:
        """Return the estimate from at least one run; one alone says nothing of its reach."""
        if len(runs) == 1:
            return cls(runs[0], float("nan"))
        return cls(mean(runs), _T[len(runs)] * stdev(runs) / sqrt(len(runs)))

    def __str__(self) -> str:
        return f"{self.value:.1%} ± {100 * self.reach:.1f}"


def hits(stream: Stream, policy: Policy) -> NDArray[np.bool_]:
    """Return which requests were hits, shape [requests]."""
    ask = policy.ask
    return np.fromiter(map(ask, stream.items.tolist()), dtype=np.bool_, count=len(stream.items))


def score(stream: Stream, hit: NDArray[np.bool_]) -> Score:
    """Return what hits were worth."""
    sizes, saved = stream.sizes[stream.items], stream.saved[stream.items]
    return Score(
        float(hit.mean()),
        float(sizes[hit].sum() / sizes.sum()),
        float(saved[hit].sum() / saved.sum()),
    )


def replayed(stream: Stream, make: Make, share: float) -> Score:
    """Return a policy's score with room for a `share` of all distinct items' bytes."""
    return score(stream, hits(stream, make(stream, share * stream.bytes)))


def ours(half_life: float = HALF_LIFE, *, costs: bool = True, ghosts: bool = True) -> Make:
    """Return the maker of the service's policy, whole or without a part of it."""
    return partial(_ours, half_life=half_life, costs=costs, ghosts=ghosts)


def _ours(
    stream: Stream, capacity: float, *, half_life: float, costs: bool, ghosts: bool
) -> Policy:
    values = Decaying(stream, capacity, half_life, costs=costs, ghosts=ghosts)
    return Batched(values, stream.sizes, capacity)


def _clairvoyant(stream: Stream, capacity: float, *, costs: bool) -> Policy:
    return Batched(Clairvoyant(stream, costs=costs), stream.sizes, capacity)


#: All that are compared, in the order of the report.
POLICIES: Mapping[str, Make] = MappingProxyType(
    {
        "LRU": lambda stream, capacity: Lru(stream.sizes.tolist(), capacity),
        "LFU": lambda stream, capacity: Lfu(stream.sizes.tolist(), capacity),
        "W-TinyLFU": lambda stream, capacity: TinyLfu(stream.sizes.tolist(), capacity),
        "GDSF": lambda stream, capacity: Batched(Gdsf(stream), stream.sizes, capacity),
        "ours": ours(),
        "ours, no ghosts": ours(ghosts=False),
        "ours, no costs": ours(costs=False),
        "clairvoyant, hits": partial(_clairvoyant, costs=False),
        "clairvoyant, savings": partial(_clairvoyant, costs=True),
        "unbounded": lambda _stream, _capacity: Unbounded(),
    }
)
