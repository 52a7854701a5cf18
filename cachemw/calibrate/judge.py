"""Scores pairs as the service scores a candidate: embedding, floor, guards, verifier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cachemw.calibrate.curve import Scores
from cachemw.calibrate.pairs import Pair
from cachemw.embed.base import Embedder
from cachemw.verify.base import QuestionPair, Verifier

_BATCH = 32

Objection = Callable[[str, str], str | None]
"""Names the guard that finds a difference between a stored and an asked question, if one does."""


def any_language(_: str) -> bool:
    """Say that a verifier reads every text."""
    return True


class Progress(Protocol):
    """Is told how far a step has come."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """Take `done` of `total`."""
        ...


@dataclass(frozen=True, slots=True)
class Decider:
    """What decides on a semantic hit. Candidates below `floor`, a cosine, are not looked at.

    Without a verifier the cosine is the score. `reads`: whether the verifier knows the language
    of an asked question; what it does not know gets no score.
    """

    embedder: Embedder
    objection: Objection
    verifier: Verifier | None
    floor: float
    reads: Callable[[str], bool] = any_language

    @property
    def scale(self) -> str:
        """What its scores depend on: those of different scales are never pooled."""
        if self.verifier is None:
            return f"cosine {self.embedder.fingerprint}"
        return self.verifier.fingerprint

    def close(self) -> None:
        """Release the models."""
        self.embedder.close()
        if self.verifier is not None:
            self.verifier.close()


@dataclass(frozen=True, slots=True)
class Judged:
    """Both scores of every pair, NaN where it is never served, and why that is.

    `cosines` knows no floor and no guards. A text that the embedder would cut is exact-only, so
    such pairs (`cut`) are served by neither.
    """

    cosines: Scores
    scores: Scores
    cut: int
    below_floor: int
    objected: Mapping[str, int]

    @property
    def unscored(self) -> int:
        """How many pairs got as far as the verifier and have no score."""
        refused = self.cut + self.below_floor + sum(self.objected.values())
        return int(np.count_nonzero(np.isnan(self.scores))) - refused


def judge(decider: Decider, pairs: Sequence[Pair], progress: Progress) -> Judged:
    """Score all pairs; `a` of a pair is the stored question and `b` the asked one.

    Guards and verifier see only what gets so far: they are what takes the time.
    """
    cosines = _cosines(decider.embedder, pairs, progress)
    near = [int(position) for position in np.flatnonzero(cosines >= decider.floor)]
    objected: Counter[str] = Counter()
    passed = []
    for position in near:
        guard = decider.objection(pairs[position].a, pairs[position].b)
        if guard is None:
            passed.append(position)
        else:
            objected[guard] += 1
    scores = np.full(len(pairs), np.nan)
    if decider.verifier is None:
        scores[passed] = cosines[passed]
    else:
        read = [position for position in passed if decider.reads(pairs[position].b)]
        asked = [QuestionPair(pairs[p].a, pairs[p].b, float(cosines[p])) for p in read]
        scores[read] = _verified(decider.verifier, asked, progress)
    cut = int(np.count_nonzero(np.isnan(cosines)))
    return Judged(cosines, scores, cut, len(pairs) - cut - len(near), objected)


def _cosines(embedder: Embedder, pairs: Sequence[Pair], progress: Progress) -> Scores:
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.a, pair.b)))
    row_of = {text: row for row, text in enumerate(texts)}
    vectors = np.empty((len(texts), embedder.dimension), dtype=np.float32)
    done = 0
    for batch in _by_length([len(text) for text in texts]):
        vectors[batch] = embedder.embed([texts[row] for row in batch])
        done += len(batch)
        progress("embedding", done, len(texts))
    a = vectors[[row_of[pair.a] for pair in pairs]]
    b = vectors[[row_of[pair.b] for pair in pairs]]
    cosines: Scores = np.einsum("ij,ij->i", a, b).astype(np.float64)
    whole = {text: not embedder.cuts(text) for text in texts}
    cosines[[not (whole[pair.a] and whole[pair.b]) for pair in pairs]] = np.nan
    return cosines


def _verified(verifier: Verifier, pairs: Sequence[QuestionPair], progress: Progress) -> Scores:
    scores = np.empty(len(pairs))
    done = 0
    for batch in _by_length([len(pair.stored) + len(pair.asked) for pair in pairs]):
        scores[batch] = verifier.score([pairs[position] for position in batch])
        done += len(batch)
        progress("verifying", done, len(pairs))
    return scores


def _by_length(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield all positions in batches of like lengths: short texts are not padded to long ones."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    for start in range(0, len(order), _BATCH):
        yield order[start : start + _BATCH]
