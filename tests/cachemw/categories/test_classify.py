from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from cachemw_policies.policy_file import parse_policy

from cachemw.categories.classify import CategoryClassifier
from cachemw.categories.example_vectors import ExampleVectors, Vectors

WORDS = ("loop", "class", "sum", "product")
FILE = """
min_confidence: {min_confidence}
categories:
  code: {{examples: [a loop, a class]}}
  math: {{examples: [a sum, a product]}}
  rest: {{}}
"""


def _embed(texts: Sequence[str]) -> Vectors:
    vectors: Vectors = np.array(
        [[word in text for word in WORDS] for text in texts], dtype=np.float32
    )
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1.0)
    return vectors


def _classifier(min_confidence: float = 0.5) -> CategoryClassifier:
    policies = parse_policy(FILE.format(min_confidence=min_confidence))
    return CategoryClassifier.trained(policies, ExampleVectors(_embed, "words"))


@pytest.mark.parametrize(
    ("text", "name"), [("which loop", "code"), ("the product of a sum", "math")]
)
def test_questions_like_the_examples(text: str, name: str) -> None:
    found = _classifier().name_of(_embed([text])[0])
    assert found.name == name
    assert found.confidence > 0.5


def test_below_the_least_confidence_it_is_default() -> None:
    vector = _embed(["a loop with a sum"])[0]
    assert _classifier(0.0).name_of(vector).name != "default"
    name, confidence = _classifier(0.9).name_of(vector)
    assert name == "default"
    assert 0.4 < confidence < 0.9


def test_a_vector_that_is_no_number_is_default() -> None:
    assert _classifier(0.0).name_of(np.full(4, np.nan, np.float32)).name == "default"


def test_without_examples_all_is_default() -> None:
    def never(texts: Sequence[str]) -> Vectors:
        raise AssertionError

    policies = parse_policy("min_confidence: 0\ncategories: {x: {}}")
    classifier = CategoryClassifier.trained(policies, ExampleVectors(never, "words"))
    assert classifier.name_of(np.ones(4, np.float32)).name == "default"
