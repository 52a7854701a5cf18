from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from cachemw.verify.cross_encoder import CrossEncoder, Logits, TextPair, probabilities
from cachemw.verify.probes import PROBES, farthest

TRUE = dict(zip(PROBES, np.linspace(-5, 5, len(PROBES), dtype=np.float32), strict=True))
REFERENCE = probabilities(np.array(list(TRUE.values()), np.float32))


class Exact(CrossEncoder):
    def __init__(self) -> None:
        pass

    def logits(self, pairs: Sequence[TextPair]) -> Logits:
        return np.array([TRUE[pair] for pair in pairs], dtype=np.float32)


class WrongInBatches(Exact):
    def logits(self, pairs: Sequence[TextPair]) -> Logits:
        return super().logits(pairs) + (len(pairs) > 1)


class WrongAlone(Exact):
    def logits(self, pairs: Sequence[TextPair]) -> Logits:
        return super().logits(pairs) + (len(pairs) == 1)


class NotFinite(Exact):
    def logits(self, pairs: Sequence[TextPair]) -> Logits:
        return super().logits(pairs) * np.float32("nan")


def test_probes_are_different() -> None:
    assert len(TRUE) == len(PROBES)


def test_the_reference_itself_passes() -> None:
    assert farthest(Exact(), REFERENCE) < 1e-6


@pytest.mark.parametrize("wrong", [WrongInBatches, WrongAlone])
def test_wrong_alone_or_in_batches_shows(wrong: type[Exact]) -> None:
    assert farthest(wrong(), REFERENCE) > 0.1


def test_what_is_not_finite_is_as_far_as_can_be() -> None:
    assert farthest(NotFinite(), REFERENCE) == 1.0
