"""Counts what each guard objects to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from cachemw_policies.guards.table import GUARDS, flags, read
from numpy.typing import NDArray

from loadtests.questions import Pair
from loadtests.threshold.clusters import clusters
from loadtests.threshold.quality import Share

NONE, ALL = "no guards", "all guards"
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Objections:
    """What one guard does to one set of pairs.

    `cost`: of the duplicates, those objected to. `gain`: of the others, those objected to. `alone`:
    of the others, those that no other guard objects to. `wrong`: of what is left, the others.
    """

    name: str
    cost: Share
    gain: Share
    alone: Share
    wrong: Share


def raised(pairs: Sequence[Pair]) -> Flags:
    """Return the flags of all guards, shape [len(pairs), len(GUARDS)]."""
    rows = [flags(read(pair.a), read(pair.b)) for pair in pairs]
    return np.array(rows, dtype=np.bool_).reshape(len(pairs), len(GUARDS))


def judged(found: Flags, same: NDArray[np.bool_]) -> list[Objections]:
    """Return a row for no guards, one for every guard, and one for all together."""
    nothing = np.zeros(len(same), dtype=np.bool_)
    rows = [_one(NONE, nothing, nothing, same)]
    for place, name in enumerate(GUARDS):
        rest = np.delete(found, place, axis=1).any(axis=1)
        rows.append(_one(name, found[:, place], found[:, place] & ~rest, same))
    together: NDArray[np.bool_] = np.logical_or.reduce(found, axis=1)
    return [*rows, _one(ALL, together, together, same)]


@dataclass(frozen=True, slots=True)
class ByCluster:
    """What all guards do where every cluster of connected questions counts once.

    `value` and `reach`: mean over clusters of the share objected to, and half of its 95 % interval.
    Of all `part` objections, `largest` are in the five clusters that have most.
    """

    value: float
    reach: float
    part: int
    largest: int


def by_cluster(pairs: Sequence[Pair], objects: NDArray[np.bool_]) -> ByCluster:
    """Weigh every cluster once: one question asked a hundred times is no hundred observations."""
    roots = clusters(pairs)
    found: dict[str, list[bool]] = {}
    for pair, objected in zip(pairs, objects.tolist(), strict=True):
        found.setdefault(roots[pair.a], []).append(objected)
    if len(found) < 2:
        return ByCluster(float(objects.mean()) if len(objects) else 0.0, 1.0, int(objects.sum()), 0)
    shares = np.array([sum(each) / len(each) for each in found.values()])
    most = sorted((sum(each) for each in found.values()), reverse=True)
    reach = 1.96 * float(shares.std(ddof=1)) / len(shares) ** 0.5
    return ByCluster(float(shares.mean()), reach, int(objects.sum()), sum(most[:5]))


def _one(
    name: str, objects: NDArray[np.bool_], alone: NDArray[np.bool_], same: NDArray[np.bool_]
) -> Objections:
    duplicates, others = int(np.count_nonzero(same)), int(np.count_nonzero(~same))
    return Objections(
        name,
        Share(int(np.count_nonzero(objects & same)), duplicates),
        Share(int(np.count_nonzero(objects & ~same)), others),
        Share(int(np.count_nonzero(alone & ~same)), others),
        Share(int(np.count_nonzero(~objects & ~same)), int(np.count_nonzero(~objects))),
    )
