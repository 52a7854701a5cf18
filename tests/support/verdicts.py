"""Verifiers that say what a test has them say."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cachemw.verify.base import QuestionPair, Scores, Verifier


class SaidVerifier(Verifier):
    """Gives every pair the score `says`; `fault` is done instead, if there is one."""

    fingerprint = "said"

    def __init__(self, says: float = 0.99) -> None:
        self.says = says
        self.fault: Callable[[Sequence[QuestionPair]], Scores] | None = None
        self.pairs: list[QuestionPair] = []
        self.closed = False

    def score(self, pairs: Sequence[QuestionPair]) -> Scores:
        """Score."""
        self.pairs += pairs
        if self.fault is not None:
            return self.fault(pairs)
        return np.full(len(pairs), self.says, np.float32)

    def close(self) -> None:
        """Note that it was closed."""
        self.closed = True
