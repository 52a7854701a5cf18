"""Boosting on embeddings."""

from __future__ import annotations

import numpy as np
import pytest

from loadtests.verifier.baseline import boosted, overlap, table


def test_features_do_not_depend_on_the_order_of_the_questions() -> None:
    u, v = np.eye(3, dtype=np.float32)[[0, 1]], np.eye(3, dtype=np.float32)[[0, 2]]
    found = table(u, v, [("a b", "b c"), ("A", "b")])
    assert found.tolist() == table(v, u, [("b c", "a b"), ("b", "A")]).tolist()
    assert found.shape == (2, 8)
    assert found[:, 6].tolist() == [1.0, 0.0]
    assert found[:, 7] == pytest.approx([1 / 3, 0.0])


def test_words_are_compared_without_case() -> None:
    assert overlap("How Much", "how much") == 1.0
    assert overlap("", "") == 0.0


def test_what_can_be_learned_is() -> None:
    rng = np.random.default_rng(3)
    found = rng.normal(size=(400, 3)).astype(np.float32)
    scores = boosted(found[:300], found[:300, 1] > 0, found[300:], iterations=20)
    assert ((scores > 0.5) == (found[300:, 1] > 0)).mean() > 0.9
