"""What is replayed against the service: the simulation's arrivals, each with a question to ask.

In distinction from the simulation each near request has a pair of its own, so that no question is
asked twice, and the others ask real questions of the verifier's training part, whose like may or
may not be stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from cachemw_policies.guards.table import objection, read
from cachemw_policies.labels import Label, Source
from numpy.typing import NDArray

from loadtests.overload.scores import Floats, Scored
from loadtests.overload.traffic import NOTHING_NEAR, Arrival, Mix, Recorded, arrivals, window
from loadtests.overload.upstream import Capacity
from loadtests.questions import Pair

CATEGORY = "questions"
_UNSERVED = -1.0


@dataclass(frozen=True, slots=True)
class Material:
    """All there is to ask: the pairs of the file, the held-out parts, the cosine of every pair."""

    pairs: Sequence[Pair]
    calibration: Scored
    test: Scored
    cosines: Floats
    trained_on: Sequence[int]


@dataclass(frozen=True, slots=True)
class Plan:
    """Arrivals, and what they ask; `asked` numbers the pairs as the arrivals do.

    `texts` are of shape [arrivals]; `stored` is the stored half of each pair of `asked`.
    """

    arrivals: Sequence[Arrival]
    asked: Scored
    texts: Sequence[str]
    stored: Sequence[str]
    capacity: Capacity

    @property
    def seconds(self) -> float:
        """How long it takes until the last one came."""
        return self.arrivals[-1].at


def faster(capacity: Capacity, times: float) -> Capacity:
    """Return an upstream of as many slots that answers so many times as fast."""
    return replace(
        capacity,
        first_s=capacity.first_s / times,
        prompt_tokens_s=capacity.prompt_tokens_s * times,
        answer_tokens_s=capacity.answer_tokens_s * times,
    )


def planned(
    trace: Sequence[Recorded],
    material: Material,
    capacity: Capacity,
    load: float,
    seconds: float,
    mix: Mix,
    seed: int,
) -> Plan:
    """Draw about `seconds` of arrivals at `load` of what the upstream can do.

    Raises ValueError where there are not enough pairs that have no question in common.
    """
    rng = np.random.default_rng(seed)
    length = round(seconds * load * capacity.slots / _answer_s(trace, capacity))
    recorded = window(trace, length, rng)
    gap_s = _answer_s(recorded, capacity) / capacity.slots / load
    drawn = arrivals(recorded, gap_s, material.test, mix, rng)
    near = [place for place, one in enumerate(drawn) if one.pair != NOTHING_NEAR]
    rows = _apart(material, rng)
    if len(rows) < len(near):
        raise ValueError(f"{len(near)} near questions need as many pairs, not {len(rows)}")
    number = {place: row for row, place in enumerate(near)}
    asked = _chosen(material.test, rows[: len(near)])
    pairs = [material.pairs[position] for position in asked.positions]
    others = _others(material, rng)
    return Plan(
        [replace(one, pair=number.get(place, NOTHING_NEAR)) for place, one in enumerate(drawn)],
        asked,
        [
            pairs[number[place]].b if place in number else next(others)
            for place in range(len(drawn))
        ],
        [pair.a for pair in pairs],
        capacity,
    )


def seen_by_service(material: Material, scored: Scored, min_similarity: float) -> Scored:
    """Return scores as the service has them: none of what is too far, or a guard objects to."""
    open_ones = _comes_to_the_verifier(material, scored, min_similarity)
    return replace(scored, scores=np.where(open_ones, scored.scores, _UNSERVED))


def labels(
    material: Material, min_similarity: float, scale: str, at: float, seed: int
) -> list[Label]:
    """Return the calibration part as the service would have been told of it, in random order."""
    scored = material.calibration
    open_ones = np.flatnonzero(_comes_to_the_verifier(material, scored, min_similarity))
    order = np.random.default_rng(seed).permutation(open_ones)
    return [
        Label(
            CATEGORY, float(scored.scores[row]), bool(scored.same[row]), Source.OFFLINE, scale, at
        )
        for row in order
    ]


def _comes_to_the_verifier(
    material: Material, scored: Scored, min_similarity: float
) -> NDArray[np.bool_]:
    near = material.cosines[scored.positions] >= min_similarity
    pairs = (material.pairs[position] for position in scored.positions)
    objected = np.array([objection(read(pair.a), read(pair.b)) is not None for pair in pairs])
    return np.asarray(near & ~objected, dtype=np.bool_)


def _answer_s(recorded: Iterable[Recorded], capacity: Capacity) -> float:
    return float(
        np.mean([capacity.answer_s(one.prompt_tokens, one.answer_tokens) for one in recorded])
    )


def _chosen(scored: Scored, rows: Sequence[int]) -> Scored:
    taken = np.array(rows, dtype=np.intp)
    return Scored(scored.positions[taken], scored.scores[taken], scored.same[taken])


def _apart(material: Material, rng: np.random.Generator) -> list[int]:
    """Return rows of the test part in random order, no two of which have a question in common."""
    used: set[str] = set()
    rows = []
    for row in rng.permutation(len(material.test)).tolist():
        pair = material.pairs[material.test.positions[row]]
        if pair.a != pair.b and used.isdisjoint((pair.a, pair.b)):
            used.update((pair.a, pair.b))
            rows.append(row)
    return rows


def _others(material: Material, rng: np.random.Generator) -> Iterator[str]:
    order = rng.permutation(len(material.trained_on)).tolist()
    texts = (material.pairs[material.trained_on[place]].b for place in order)
    return iter(dict.fromkeys(texts))
