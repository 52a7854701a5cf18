from __future__ import annotations

import numpy as np
import pytest

from cachemw.categories.source import load_policy
from loadtests.categories.rivals import KEYWORDS, by_keywords, majority, nearest_prototype


def test_the_nearest_mean_is_named() -> None:
    examples = np.array([[1, 0], [0.8, 0.6], [0, 1], [-0.6, 0.8]], dtype=np.float32)
    asked = np.array([[0.96, 0.28], [0.28, 0.96], [-1, 0]], dtype=np.float32)
    assert nearest_prototype(examples, ["x", "x", "y", "y"], asked) == ["x", "y", "y"]


def test_a_mean_counts_by_its_direction() -> None:
    # Two examples far apart have a short mean.
    examples = np.array([[0.6, 0.8], [0.6, -0.8], [0.8, 0.6]], dtype=np.float32)
    assert nearest_prototype(examples, ["x", "x", "y"], np.eye(2, dtype=np.float32)[:1]) == ["x"]


def test_keywords_are_of_shipped_categories() -> None:
    assert set(KEYWORDS) <= set(load_policy(None).names)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Translate this into French", "translation"),
        ("a POEM about law, a story and a song", "creative"),
        ("classical", "default"),
        ("", "default"),
    ],
)
def test_most_keywords_win(text: str, name: str) -> None:
    assert by_keywords([text]) == [name]


def test_the_most_frequent_label_for_all() -> None:
    assert majority(["a", "b", "b"]) == ["b", "b", "b"]
