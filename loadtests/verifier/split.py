"""Three parts of the question pairs that share no question.

The verifier learns from `train`; what is tuned is tuned on `calibration`, what is reported is
measured on `test`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from loadtests.questions import Pair
from loadtests.threshold.clusters import clusters

_TRAIN, _CALIBRATION = 192, 32  # of 256; the rest is the test


@dataclass(frozen=True, slots=True)
class Parts:
    """Positions of pairs, in their order."""

    train: list[int]
    calibration: list[int]
    test: list[int]


def parts(pairs: Sequence[Pair]) -> Parts:
    """Split by clusters: pairs with a question in common stay together.

    The hash of a cluster's first question decides, so that the order of the pairs does not matter.
    """
    roots = clusters(pairs)
    found = Parts([], [], [])
    for position, pair in enumerate(pairs):
        place = blake2b(roots[pair.a].encode(), digest_size=1, salt=b"verifier").digest()[0]
        if place < _TRAIN:
            found.train.append(position)
        elif place < _TRAIN + _CALIBRATION:
            found.calibration.append(position)
        else:
            found.test.append(position)
    return found
