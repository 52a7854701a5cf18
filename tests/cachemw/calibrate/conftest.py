"""A decider of fakes: what it thinks of a pair is written in the texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from cachemw.calibrate.judge import Decider
from cachemw.verify.base import QuestionPair, Scores, Verifier


class AngleEmbedder:
    """Texts `x ANGLE`: the cosine of two is that of the angle, in degrees, between them."""

    name = "angles"
    fingerprint = "e" * 16
    dimension = 2
    runtime = "none"

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.closed = False

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.batches.append(len(texts))
        angles = np.radians([float(text.split()[1]) for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    def cuts(self, text: str) -> bool:
        return text.startswith("long")

    def close(self) -> None:
        self.closed = True


class LastWordVerifier(Verifier):
    """Its score is the last word of the asked question."""

    fingerprint = "last-word"

    def __init__(self) -> None:
        self.seen: list[QuestionPair] = []
        self.closed = False

    def score(self, pairs: Sequence[QuestionPair]) -> Scores:
        self.seen += pairs
        return np.array([float(pair.asked.split()[-1]) for pair in pairs], dtype=np.float32)

    def close(self) -> None:
        self.closed = True


def guard(stored: str, asked: str) -> str | None:
    """Object where one question says `not` and the other does not."""
    return "negation" if ("not" in stored) != ("not" in asked) else None


@pytest.fixture
def verifier() -> LastWordVerifier:
    return LastWordVerifier()


@pytest.fixture
def decider(verifier: LastWordVerifier) -> Decider:
    return Decider(AngleEmbedder(), guard, verifier, floor=0.6)
