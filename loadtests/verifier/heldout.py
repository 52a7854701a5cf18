"""What is compared: every method's scores of the pairs that were held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cachemw_policies.guards.table import objection, read
from numpy.typing import NDArray

from cachemw.verify.base import QuestionPair, Scores, Verifier
from cachemw.verify.cross_encoder import CrossEncoder
from loadtests.questions import Pair
from loadtests.threshold.clusters import clusters
from loadtests.verifier.runs import Rows, logit, scores_of
from loadtests.verifier.split import parts

PARTS = ("calibration", "test")
NEVER = -1.0
"""The score of a pair that a guard objects to: below every threshold."""

Values = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Held-out pairs; arrays have one element a pair.

    `position` is that in the file, `cluster` numbers the connected questions.
    """

    pairs: list[QuestionPair]
    same: Flags
    part: NDArray[np.str_]
    position: NDArray[np.int64]
    cluster: NDArray[np.int64]

    def for_others(self) -> dict[str, NDArray[Any]]:
        """Return what readers of the kept scores need beside them."""
        same = self.same.astype(np.float32)
        return {"position": self.position, "same": same, "part": self.part}


def held_out(pairs: Sequence[Pair], cosines: Values, limit: int | None = None) -> HeldOut:
    """Return the pairs that nothing was trained on, `limit` of each part at most."""
    split = parts(pairs)
    places = [*split.calibration[:limit], *split.test[:limit]]
    named = [PARTS[0]] * len(split.calibration[:limit]) + [PARTS[1]] * len(split.test[:limit])
    chosen = [pairs[place] for place in places]
    roots = clusters(chosen)
    numbers = {root: number for number, root in enumerate(dict.fromkeys(roots.values()))}
    return HeldOut(
        [QuestionPair(pairs[p].a, pairs[p].b, float(cosines[p])) for p in places],
        np.array([pair.same for pair in chosen]),
        np.array(named),
        np.array(places),
        np.array([numbers[roots[pair.a]] for pair in chosen]),
    )


class Bare(Verifier):
    """The cross-encoder without the trees: its logit's probability is the score."""

    def __init__(self, encoder: CrossEncoder, fingerprint: str) -> None:
        self._encoder = encoder
        self.fingerprint = f"{fingerprint}, bare"

    def score(self, pairs: Sequence[QuestionPair]) -> Scores:
        """Return probabilities in [0, 1], shape [len(pairs)]."""
        # In float64: float32 has no numbers between the highest probabilities.
        logits = self._encoder.logits([(p.stored, p.asked) for p in pairs]).astype(np.float64)
        return (1 / (1 + np.exp(-logits))).astype(np.float32)

    def close(self) -> None:
        """Release the encoder."""
        self._encoder.close()


def guarded(pairs: Sequence[QuestionPair], scores: Values) -> Values:
    """Return the scores, `NEVER` where a guard objects."""
    objects = [objection(read(pair.stored), read(pair.asked)) is not None for pair in pairs]
    return np.where(objects, NEVER, scores)


def of_runs(names: Sequence[str], rows: Rows, folder: Path) -> Values:
    """Return the mean logit of runs of training, in the order of `rows`."""
    mean: Values = np.mean([logit(scores_of([name], rows, folder)) for name in names], axis=0)
    return mean
