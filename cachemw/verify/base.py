"""What a verifier is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class QuestionPair:
    """A stored question, one that is asked now, and the cosine similarity of their embeddings."""

    stored: str
    asked: str
    similarity: float


class Verifier(ABC):
    """Says how likely two questions have the same answer. Used by one thread at a time."""

    #: What its scores depend on: labels of different fingerprints are never pooled.
    fingerprint: str

    @abstractmethod
    def score(self, pairs: Sequence[QuestionPair]) -> Scores:
        """Return probabilities in [0, 1], shape [len(pairs)].

        May raise anything: its caller takes that for no score.
        """

    @abstractmethod
    def close(self) -> None:
        """Release what it holds; nothing is scored after it."""
