from __future__ import annotations

from itertools import islice

from loadtests.http.added import Case, Paired, cases, section
from loadtests.http.effort import QUICK
from loadtests.stats import Spread


def _paired(case: Case, embedding: list[Spread], connections: int = 1) -> Paired:
    direct, through = [Spread(1.0, 2.0)], [Spread(4.0, 6.0)]
    return Paired(case, 0, connections, direct, through, embedding)


def test_the_bar_leaves_the_embedding_out_where_it_stands_in_the_way() -> None:
    case = next(case for case in cases() if case.embeds)
    [bar] = section([_paired(case, [Spread(2.0, 3.0)])], QUICK).bars
    assert (bar.measured, bar.met) == ("1.00 ms", True)


def test_several_connections_are_reported_without_a_bar() -> None:
    result = section([_paired(cases()[0], [], connections=8)], QUICK)
    assert not result.bars
    assert result.rows[0][3] == "3.00"


def test_no_two_requests_are_the_same() -> None:
    for case in cases():
        for upstream_ms in (0, 20):
            shots = list(islice(case.shots(upstream_ms, None), 100))
            assert len({shot.raw for shot in shots}) == 100, case.name
