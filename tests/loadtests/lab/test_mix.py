from itertools import islice

import numpy as np
import pytest

from loadtests.lab.mix import Share, ahead, batches, split_rows
from loadtests.lab.packing import RunningText


def text(first: int) -> RunningText:
    return RunningText(np.arange(first, first + 40, dtype=np.uint16), context=8, bos_id=0)


@pytest.mark.parametrize(
    ("weights", "rows", "counts"),
    [
        ({"a": 0.7, "b": 0.3}, 32, {"a": 22, "b": 10}),
        ({"a": 1, "b": 1, "c": 1}, 4, {"a": 2, "b": 1, "c": 1}),
        ({"a": 999, "b": 1}, 4, {"a": 3, "b": 1}),
    ],
)
def test_rows_are_shared_in_proportion(
    weights: dict[str, float], rows: int, counts: dict[str, int]
) -> None:
    assert split_rows(weights, rows) == counts


def test_every_batch_holds_every_share() -> None:
    made = islice(batches([Share(text(100), 2), Share(text(500), 1)], seed=1), 10)
    for batch in made:
        assert batch.tokens.shape == (3, 8)
        assert (batch.tokens[:2, 1:] < 500).all()
        assert (batch.tokens[2:, 1:] >= 500).all()


def test_a_new_share_leaves_the_others_alone() -> None:
    alone = next(batches([Share(text(100), 2)], seed=1))
    beside = next(batches([Share(text(100), 2), Share(text(500), 1)], seed=1))
    assert np.array_equal(alone.tokens, beside.tokens[:2])


def test_making_batches_ahead_changes_none() -> None:
    shares = [Share(text(100), 2)]
    direct = list(islice(batches(shares, seed=1), 12))
    for made, expected in zip(ahead(batches(shares, seed=1), 12, depth=2), direct, strict=True):
        assert np.array_equal(made.tokens, expected.tokens)
