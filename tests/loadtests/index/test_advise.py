from __future__ import annotations

import pytest

from loadtests.index.advise import Advice, advise, crossing
from loadtests.index.measure import Size
from loadtests.stats import Spread


def _size(size: int, flat_ms: float, graph_ms: float) -> Size:
    flat, graph = Spread(flat_ms, flat_ms), Spread(graph_ms, graph_ms)
    return Size(size, flat, graph, flat_insert=0.0, graph_insert=0.0, build_s=0.0, recall=1.0)


@pytest.mark.parametrize(
    ("excess", "expected"),
    [
        ([-1.0, -1.0, 1.0], 150),
        ([-1.0, -3.0, 1.0], 175),
        ([1.0, 2.0, 3.0], 10),
        ([-1.0, -1.0, -1.0], None),
        ([-1.0, 1.0, -1.0], None),
        ([1.0, -1.0, 1.0], 150),
    ],
)
def test_where_the_excess_stays_above_zero(excess: list[float], expected: int | None) -> None:
    assert crossing([10, 100, 200], excess) == expected


def test_the_hop_counts_for_the_graph() -> None:
    measured = [_size(1000, 0.1, 0.1), _size(2000, 0.2, 0.1)]
    assert advise(measured, hop_ms=0.05).slower == 1500


def test_the_event_loop_may_decide() -> None:
    measured = [_size(1000, 0.2, 0.5), _size(2000, 0.4, 0.5), _size(4000, 0.8, 0.5)]
    advice = advise(measured, hop_ms=0.1)
    assert advice.blocks == advice.switch_at == 1500
    assert advice.slower is not None
    assert advice.slower > 2000


def test_no_point_within_what_was_measured() -> None:
    assert Advice(None, None).switch_at is None
    assert Advice(None, 5).switch_at == 5
