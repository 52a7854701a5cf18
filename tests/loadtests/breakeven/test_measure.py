"""The arithmetic of break-even, and our side of the comparison."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cachemw.stores.base import Document
from cachemw.stores.memory import MemoryStore
from loadtests.breakeven.measure import Costs, break_even, ours_filled, ours_lookups, timed


def test_break_even_balances_what_is_lost_and_won() -> None:
    costs = Costs(miss=2.0, hit=5.0)
    rate = break_even(costs, embedding_ms=1.0, answer_s=0.5)
    spent = rate * 6.0 + (1 - rate) * 3.0
    assert spent == pytest.approx(rate * 500.0)


def test_break_even_is_about_the_cost_over_what_is_saved() -> None:
    assert break_even(Costs(30.0, 30.0), 0.0, 0.15) == pytest.approx(0.2)


def test_an_answer_that_is_faster_than_its_lookup_never_pays() -> None:
    assert break_even(Costs(1.0, 400.0), 0.0, 0.3) == math.inf


def document(number: int) -> Document:
    return Document(
        key=bytes([number]) * 32,
        tenant="t",
        endpoint="chat",
        model="m",
        created_at=0.0,
        expires_at=100.0,
        prompt="",
        body=b"{}",
        upstream_seconds=1.0,
        prompt_tokens=1,
        completion_tokens=1,
    )


async def test_a_hit_fetches_the_nearest_ones_answer() -> None:
    documents = [document(number) for number in range(4)]
    vectors = np.eye(4, dtype=np.float32)
    store = MemoryStore(lambda: 1.0, 1 << 20)
    for one in documents:
        await store.put(one)
    index = await ours_filled(vectors, documents)
    miss, hit = ours_lookups(index, store)
    try:
        assert await hit(vectors[2]) is not None
        assert getattr(await hit(vectors[2]), "key", None) == documents[2].key
        assert await miss(vectors[2])
        assert await timed(miss, vectors) > 0.0
        await store.delete(documents[2].key)
        with pytest.raises(RuntimeError, match="not in the store"):
            await hit(vectors[2])
    finally:
        await index.aclose()
