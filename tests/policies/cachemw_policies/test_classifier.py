from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cachemw_policies.category import DEFAULT
from cachemw_policies.classifier import Classifier, TrainingSettings, Vectors, train
from hypothesis import given, settings
from hypothesis import strategies as st

DIMENSION = 24


def _clusters(classes: int, each: int, seed: int, spread: float = 0.5) -> tuple[Vectors, list[str]]:
    """Return unit vectors around `classes` random directions, and their names."""
    directions = np.random.default_rng(classes).normal(size=(classes, DIMENSION))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    noise = np.random.default_rng(seed).normal(size=(classes, each, DIMENSION))
    vectors = directions[:, None, :] + spread * noise / np.sqrt(DIMENSION)
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    labels = [f"class{number}" for number in range(classes) for _ in range(each)]
    return vectors.reshape(-1, DIMENSION).astype(np.float32), labels


def _accuracy(classifier: Classifier, vectors: Vectors, labels: list[str]) -> float:
    return float(
        np.mean([classifier.classify(v).name == n for v, n in zip(vectors, labels, strict=True)])
    )


@pytest.mark.parametrize("classes", [2, 12, 60])
def test_unseen_vectors_get_their_category(classes: int) -> None:
    classifier = train(*_clusters(classes, 10, seed=1))
    assert _accuracy(classifier, *_clusters(classes, 20, seed=2)) > 0.95


def test_names_come_in_the_order_of_the_examples() -> None:
    vectors, labels = _clusters(3, 2, seed=0)
    assert train(vectors, labels).names == ("class0", "class1", "class2")


def test_equal_examples_make_an_equal_classifier() -> None:
    one, other = train(*_clusters(5, 6, seed=3)), train(*_clusters(5, 6, seed=3))
    assert one.weights.tobytes() == other.weights.tobytes()
    assert one.bias.tobytes() == other.bias.tobytes()


def test_a_category_of_many_examples_does_not_swallow_one_of_few() -> None:
    vectors, labels = _clusters(2, 400, seed=4, spread=2.0)
    few = [*range(400), *range(400, 410)]
    classifier = train(vectors[few], [labels[row] for row in few])
    unseen, names = _clusters(2, 300, seed=5, spread=2.0)
    assert _accuracy(classifier, unseen[300:], names[300:]) > 0.5


@pytest.mark.parametrize("labels", [[], ["only"], ["only"] * 5])
def test_fewer_than_two_categories_are_not_told_apart(labels: list[str]) -> None:
    vectors = _clusters(1, len(labels), seed=0)[0]
    assert train(vectors, labels).classify(np.ones(DIMENSION, np.float32)) == (DEFAULT, 0.0)


def test_no_examples_at_all() -> None:
    classifier = train(np.empty((0, 0), np.float32), [])
    assert classifier.classify(np.ones(DIMENSION, np.float32)) == (DEFAULT, 0.0)


def test_one_example_a_category_is_enough() -> None:
    vectors, labels = _clusters(4, 1, seed=6)
    assert _accuracy(train(vectors, labels), vectors, labels) == 1.0


def test_the_same_vector_in_two_categories_is_a_toss_up() -> None:
    vectors, labels = _clusters(2, 2, seed=7)
    confidence = train(vectors[[0, 1, 0, 1]], labels).classify(vectors[0]).confidence
    assert confidence == pytest.approx(0.5, abs=0.01)


@settings(max_examples=20)
@given(st.integers(2, 8), st.integers(1, 6), st.integers(0, 100))
def test_a_confidence_is_a_probability_of_the_most_probable(
    classes: int, each: int, seed: int
) -> None:
    classifier = train(*_clusters(classes, each, seed))
    for vector in _clusters(classes, 3, seed + 1)[0]:
        name, confidence = classifier.classify(vector)
        assert name in classifier.names
        assert 1 / classes - 1e-6 <= confidence <= 1


@pytest.mark.parametrize("spread", [1.0, 2.0])
def test_confidence_is_about_how_often_it_is_right(spread: float) -> None:
    classifier = train(*_clusters(10, 20, seed=8, spread=spread))
    vectors, labels = _clusters(10, 200, seed=9, spread=spread)
    confidence = np.mean([classifier.classify(vector).confidence for vector in vectors])
    assert confidence == pytest.approx(_accuracy(classifier, vectors, labels), abs=0.03)


def test_strong_regularisation_does_not_cost_confidence() -> None:
    # Without the temperature all would lie near chance, and below any `min_confidence`.
    vectors, labels = _clusters(10, 20, seed=10)
    strong = train(vectors, labels, TrainingSettings(l2=0.01))
    assert np.mean([strong.classify(vector).confidence for vector in vectors]) > 0.9


def test_a_vector_that_is_no_number_has_no_confidence() -> None:
    classifier = train(*_clusters(3, 3, seed=11))
    confidence = classifier.classify(np.full(DIMENSION, np.nan, np.float32)).confidence
    assert not confidence >= 0.0


def test_logits_beyond_what_exp_can_hold() -> None:
    classifier = train(*_clusters(3, 3, seed=12))
    steep = replace(classifier, weights=classifier.weights * 1e6)
    assert steep.classify(_clusters(3, 1, seed=13)[0][1]) == ("class1", 1.0)
