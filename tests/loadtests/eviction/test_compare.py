from __future__ import annotations

import numpy as np

from loadtests.eviction.compare import CAPACITIES, HALF_LIVES, _bar, compared, floods, tuned
from loadtests.eviction.replay import POLICIES, Score
from loadtests.eviction.streams import Stream


def stream(seed: int, count: int = 3000) -> Stream:
    rng = np.random.default_rng(seed)
    items = (rng.zipf(1.2, count) % 500).astype(np.int64)
    return Stream(
        items,
        np.arange(count, dtype=np.float64),
        rng.uniform(1, 9, 500),
        rng.choice([1.0, 10.0], 500),
    )


def test_every_half_life_and_place_is_in_the_table() -> None:
    section = tuned({"one": stream(1), "two": stream(2)})
    assert len(section.head) == 2 + 2 * len(CAPACITIES)
    assert len(section.rows) == len(HALF_LIVES) + 4
    assert {len(row) for row in section.rows} == {len(section.head)}
    assert sum(row[-1] != "" for row in section.rows) == len(HALF_LIVES)


def test_all_policies_are_compared_at_all_capacities() -> None:
    section = compared("some traffic", [stream(1), stream(2)])
    assert len(section.rows) == len(CAPACITIES) * len(POLICIES)
    assert len(section.bars) == len(CAPACITIES)
    assert section.bars[-1].met


def test_a_policy_that_falls_behind_misses_its_bar() -> None:
    def scores(saved: float) -> list[Score]:
        return [Score(0.5, 0.5, saved), Score(0.5, 0.5, saved)]

    behind = _bar("traffic", 0.01, {"LRU": scores(0.3), "LFU": scores(0.5), "ours": scores(0.4)})
    level = _bar("traffic", 0.01, {"LRU": scores(0.3), "LFU": scores(0.4), "ours": scores(0.4)})
    assert (behind.limit, behind.measured, behind.met) == (">= 50.0%", "40.0%", False)
    assert level.met


def test_a_flood_is_compared_four_ways() -> None:
    section = floods([(stream(1), stream(2)), (stream(3), stream(4))])
    assert [row[0] for row in section.rows] == [
        "LRU",
        "value alone",
        "equal shares, no guarantee",
        "60% guaranteed",
    ]
