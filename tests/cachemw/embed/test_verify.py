from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cachemw.embed.verify import PROBES, worst_cosine, worst_probe_cosine

GENERATOR = np.random.default_rng(7)
VECTORS = GENERATOR.standard_normal((len(PROBES), 16)).astype(np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
ROWS = dict(zip(PROBES, VECTORS, strict=True))


def exact(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.stack([ROWS[text] for text in texts])


def test_equal_vectors_pass() -> None:
    assert worst_probe_cosine(exact, VECTORS) > 0.999999


def test_a_graph_right_only_for_single_texts_fails() -> None:
    def wrong_in_batches(texts: Sequence[str]) -> NDArray[np.float32]:
        return exact(texts) if len(texts) == 1 else np.roll(exact(texts), 1, axis=1)

    assert worst_probe_cosine(wrong_in_batches, VECTORS) < 0.9


def test_what_is_not_a_unit_vector_fails() -> None:
    assert worst_cosine(VECTORS * 2, VECTORS) == -1.0
    assert worst_cosine(VECTORS * np.float32("nan"), VECTORS) == -1.0
    assert worst_cosine(VECTORS[:, :8], VECTORS) == -1.0
