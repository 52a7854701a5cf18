"""What a verifier is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]


class Verifier(ABC):
    """Says how likely two questions have the same answer. Used by one thread at a time."""

    #: What its scores depend on: labels of different fingerprints are never pooled.
    fingerprint: str

    @abstractmethod
    def score(self, pairs: Sequence[tuple[str, str]]) -> Scores:
        """Return probabilities in [0, 1], shape [len(pairs)], of (stored, asked) questions.

        May raise anything: its caller takes that for no score.
        """

    def close(self) -> None:
        """Release what it holds."""
