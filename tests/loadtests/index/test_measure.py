from __future__ import annotations

import numpy as np

from cachemw.index.flat import FlatIndex
from loadtests.index.__main__ import section
from loadtests.index.advise import advise
from loadtests.index.measure import hop, recall, sizes
from loadtests.index.vectors import DIMENSION, QUERIES, clustered


def test_made_up_questions_are_unit_vectors_with_near_neighbours() -> None:
    data = clustered(400)
    assert data.stored.shape == (400, DIMENSION)
    assert data.queries.shape == (QUERIES, DIMENSION)
    assert np.allclose(np.linalg.norm(data.stored, axis=1), 1.0, atol=1e-5)
    nearest = (data.queries @ data.stored.T).max(axis=1)
    assert np.median(nearest) > 0.5


def test_both_indexes_grow_and_are_measured() -> None:
    data = clustered(200)
    measured = list(sizes(data, (100, 200, 400)))
    assert [size.size for size in measured] == [100, 200]
    assert all(size.recall > 0.95 for size in measured)
    assert all(size.flat.p50 > 0 and size.graph.p50 > 0 for size in measured)
    assert measured[1].build_s > measured[0].build_s
    assert "| 100 |" not in section(data, measured, advise(measured, 0.1)).about


def test_recall_is_agreement_on_the_nearest() -> None:
    vectors = np.eye(DIMENSION, dtype=np.float32)[:2]
    right, wrong = FlatIndex(DIMENSION), FlatIndex(DIMENSION)
    for row, vector in enumerate(vectors):
        right.add(row, vector)
        wrong.add(1 - row, vector)
    assert recall(right, right, vectors) == 1.0
    assert recall(right, wrong, vectors) == 0.0


async def test_a_hop_takes_time() -> None:
    assert 0 < (await hop(20)).p50 < 100
