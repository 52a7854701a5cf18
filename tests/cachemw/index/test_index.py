"""Every vector index against brute force: one suite, each implementation."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np
import pytest

from cachemw.index.base import VectorIndex
from cachemw.index.flat import FlatIndex
from cachemw.index.hnsw import HnswIndex
from cachemw.stores.base import Vector

DIMENSION = 24
Make = Callable[[], VectorIndex]


@pytest.fixture(params=["flat", "hnsw"])
def make(request: pytest.FixtureRequest) -> Make:
    if request.param == "flat":
        return lambda: FlatIndex(DIMENSION)
    return lambda: HnswIndex(DIMENSION, capacity=4)


def clustered(count: int, seed: int = 0, clusters: int = 50) -> Vector:
    """Return unit vectors around random centres, shape [count, dimension]."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((clusters, DIMENSION))
    rows = centres[rng.integers(clusters, size=count)]
    rows = rows + 0.3 * rng.standard_normal(rows.shape)
    unit: Vector = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def brute(live: dict[int, Vector], query: Vector, k: int) -> list[tuple[int, float]]:
    ranked = sorted(((key, float(v @ query)) for key, v in live.items()), key=lambda p: -p[1])
    return ranked[:k]


def found(index: VectorIndex, query: Vector, k: int) -> list[tuple[int, float]]:
    return [(near.entry, near.similarity) for near in index.search(query, k)]


def agree(one: list[tuple[int, float]], other: list[tuple[int, float]]) -> bool:
    same = [key for key, _ in one] == [key for key, _ in other]
    near = np.allclose([s for _, s in one], [s for _, s in other], atol=1e-5)
    return same and bool(near)


def test_an_empty_index_finds_nothing(make: Make) -> None:
    index = make()
    assert len(index) == 0
    assert index.search(clustered(1)[0], 5) == []
    assert not index.remove(3)


def test_fewer_than_k_are_all_found_most_similar_first(make: Make) -> None:
    index, rows = make(), clustered(4)
    live = dict(enumerate(rows[:3]))
    for key, row in live.items():
        index.add(key, row)
    assert agree(found(index, rows[3], 10), brute(live, rows[3], 10))


def test_what_was_added_is_its_own_nearest(make: Make) -> None:
    index, rows = make(), clustered(500)
    for n, row in enumerate(rows):
        index.add(n, row)
    assert len(index) == 500
    for n in range(0, 500, 7):
        (best,) = index.search(rows[n], 1)
        assert best.entry == n
        assert best.similarity == pytest.approx(1.0, abs=1e-5)


def test_what_was_removed_is_not_found(make: Make) -> None:
    index, rows = make(), clustered(200)
    live = dict(enumerate(rows))
    for key, row in live.items():
        index.add(key, row)
    for n in range(0, 200, 2):
        assert index.remove(n)
        del live[n]
    assert len(index) == 100
    for query in rows[::5]:
        assert agree(found(index, query, 5), brute(live, query, 5))


def test_a_replaced_vector_is_found_at_its_new_place_alone(make: Make) -> None:
    index, rows = make(), clustered(60)
    for n, row in enumerate(rows[:50]):
        index.add(n, row)
    index.add(7, rows[55])
    assert len(index) == 50
    assert index.search(rows[55], 1)[0].entry == 7
    assert [c.entry for c in index.search(rows[7], 50)].count(7) == 1
    assert index.search(rows[7], 1)[0].entry != 7


def test_after_all_were_removed_nothing_is_found_and_it_can_be_filled_again(make: Make) -> None:
    index, rows = make(), clustered(300)
    for _ in range(2):
        for n, row in enumerate(rows):
            index.add(n, row)
        for n in range(300):
            assert index.remove(n)
        assert len(index) == 0
        assert index.search(rows[0], 8) == []
    index.add(77, rows[0])
    assert [c.entry for c in index.search(rows[0], 8)] == [77]


@pytest.mark.parametrize("seed", range(5))
def test_any_history_of_changes_agrees_with_brute_force(make: Make, seed: int) -> None:
    rng, index, rows = Random(seed), make(), clustered(1200, seed)
    live: dict[int, Vector] = {}
    for row in rows:
        key = rng.randrange(150)
        if rng.random() < 0.3:
            assert index.remove(key) == (live.pop(key, None) is not None)
        else:
            index.add(key, row)
            live[key] = row
        assert len(index) == len(live)
        if rng.random() < 0.1:
            k = rng.randrange(1, 9)
            assert agree(found(index, row, k), brute(live, row, k))


def test_a_vector_of_another_dimension_changes_nothing(make: Make) -> None:
    index, rows = make(), clustered(3)
    index.add(1, rows[0])
    with pytest.raises((ValueError, RuntimeError)):
        index.add(2, np.ones(DIMENSION + 1, dtype=np.float32))
    assert len(index) == 1
    index.add(3, rows[2])
    assert {c.entry for c in index.search(rows[0], 9)} == {1, 3}


def test_search_does_not_change_the_index(make: Make) -> None:
    index, rows = make(), clustered(100)
    for n, row in enumerate(rows):
        index.add(n, row)
    assert found(index, rows[3], 9) == found(index, rows[3], 9)


def test_all_live_vectors_can_be_taken_out(make: Make) -> None:
    index, rows = make(), clustered(40)
    for n, row in enumerate(rows):
        index.add(n, row)
    for n in range(0, 40, 3):
        index.remove(n)
    assert isinstance(index, FlatIndex | HnswIndex)
    entries = sorted(index.entries())
    assert entries == [n for n in range(40) if n % 3]
    assert [n in index for n in range(41)] == [n % 3 > 0 and n < 40 for n in range(41)]
    places = entries if isinstance(index, FlatIndex) else [index.label(n) for n in entries]
    assert np.allclose(index.vectors(places), rows[entries], atol=1e-6)


def test_recall_of_the_graph_on_clustered_vectors() -> None:
    rows = clustered(5200, seed=9)
    index, exact = HnswIndex(DIMENSION), FlatIndex(DIMENSION)
    for n, row in enumerate(rows[:5000]):
        index.add(n, row)
        exact.add(n, row)
    queries = rows[5000:]
    right = sum(index.search(q, 1)[0].entry == exact.search(q, 1)[0].entry for q in queries)
    assert right / len(queries) >= 0.99


def test_the_graph_counts_what_a_search_still_walks() -> None:
    index, rows = HnswIndex(DIMENSION), clustered(20)
    for n, row in enumerate(rows):
        index.add(n, row)
    index.remove(1)
    index.add(2, rows[3])
    assert (len(index), index.tombstones) == (19, 2)


def test_a_scan_of_several_blocks_is_that_of_one_matrix() -> None:
    """Removals move the last row into holes of other blocks."""
    rng = np.random.default_rng(5)
    rows = rng.standard_normal((2600, DIMENSION)).astype(np.float32)
    index, kept = FlatIndex(DIMENSION), dict(enumerate(rows))
    index.fill(list(range(2600)), rows)
    for entry in rng.permutation(2600)[:900].tolist():
        assert index.remove(entry)
        del kept[entry]
    entries = sorted(kept)
    assert sorted(index.entries()) == entries
    assert np.array_equal(index.vectors(entries), np.stack([kept[entry] for entry in entries]))
    for query in rows[:50]:
        best = max(kept, key=lambda entry: float(kept[entry] @ query))
        assert index.search(query, 3)[0].entry == best
