from __future__ import annotations

import numpy as np
import pytest

from loadtests.categories.fewshot import SEEDS, SHOTS, Labelled, drawn, few_shot, mean_of, run


@pytest.fixture
def data() -> Labelled:
    rng = np.random.default_rng(0)
    labels = [f"c{number % 3}" for number in range(90)]
    vectors = np.eye(3)[[int(label[1]) for label in labels]] + 0.1 * rng.normal(size=(90, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Labelled("made up", vectors.astype(np.float32), labels)


def test_so_many_of_each_category_are_drawn(data: Labelled) -> None:
    labels = np.array(data.labels)
    chosen = drawn(labels, 4, np.random.default_rng(1))
    assert sorted(labels[chosen]) == sorted(["c0", "c1", "c2"] * 4)
    other = drawn(labels, 4, np.random.default_rng(2))
    assert (chosen != other).any()


def test_what_is_easy_is_right(data: Labelled) -> None:
    found = run(data, SHOTS, seed=0, least=0.5)
    assert found.classifier == found.prototype == found.kept == 1.0
    assert found.named == pytest.approx(1.0)


def test_what_nothing_tells_apart_is_right_by_chance(data: Labelled) -> None:
    shuffled = np.random.default_rng(3).permutation(data.labels).tolist()
    found = run(Labelled("noise", data.vectors, shuffled), SHOTS, seed=0, least=0.9)
    assert found.classifier < 0.6
    assert found.named < 0.5


def test_the_interval_is_of_students_t() -> None:
    # As scipy.stats.t.interval(0.95, 4, 0.3, scipy.stats.sem([0.1, 0.2, 0.3, 0.4, 0.5])) has it.
    assert mean_of([0.1, 0.2, 0.3, 0.4, 0.5]) == "30.0% ± 19.6%"


def test_a_row_for_each_data_set(data: Labelled) -> None:
    (row,) = few_shot([data], 0.5).rows
    assert row[:4] == ("made up", "3", str(90 - 3 * SHOTS), "100.0% ± 0.0%")
    assert SEEDS == 5  # what the table of Student's t is for
