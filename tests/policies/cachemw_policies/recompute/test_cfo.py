from __future__ import annotations

import math
from dataclasses import replace

import pytest
from cachemw_policies.recompute.cfo import Fix, Taken, context_impact, disorder, fix, overlap
from hypothesis import given
from hypothesis import strategies as st

A, B, C, D = b"a", b"b", b"c", b"d"
TAKEN = Taken(
    behind=(A, B, C), lengths=(10, 5, 20), inter_sums=(2.0, 1.0, 1.0), intra=4.0, tokens=10
)
# a = 2/(10*10) + 1/(10*5) + 1/(10*20) = 0.045; b = 4/100 = 0.04
IMPACT = 1 / (1 + math.exp(-0.045 / 0.04))

_SUMS = st.floats(0, 100)


@st.composite
def _takens(draw: st.DrawFn) -> Taken:
    behind = draw(st.lists(st.sampled_from([A, B, C, D]), max_size=6))
    size = len(behind)
    return Taken(
        behind,
        draw(st.lists(st.integers(1, 300), min_size=size, max_size=size)),
        draw(st.lists(_SUMS, min_size=size, max_size=size)),
        draw(_SUMS),
        draw(st.integers(1, 300)),
    )


def test_the_impact_of_the_context_by_hand() -> None:
    assert context_impact(TAKEN) == pytest.approx(IMPACT)
    assert pytest.approx(0.7549, abs=1e-4) == IMPACT


def test_the_same_prefix_overlaps_wholly_and_costs_nothing() -> None:
    assert fix(TAKEN, (A, B, C), alpha=1) == Fix(cfo=0.0, overlap=1.0)


def test_what_came_in_between_does_not_lower_the_overlap() -> None:
    assert overlap(TAKEN, (A, D, B, D, C)) == 1


def test_beta_weighs_shared_chunks_by_what_was_taken_from_them() -> None:
    assert overlap(TAKEN, (A, D)) == pytest.approx(2 / 4)
    assert overlap(TAKEN, (B, C)) == pytest.approx(2 / 4)
    assert overlap(TAKEN, (C,)) == pytest.approx(1 / 4)


def test_gamma_is_the_share_of_pairs_in_another_order() -> None:
    assert disorder((A, B, C), (C, A, B)) == pytest.approx(2 / 3)
    assert disorder((A, B, C), (C, B, A)) == 1
    assert disorder((A, B, C), (B, D, A)) == 1
    assert disorder((A, B, C), (A, C)) == 0


def test_fewer_than_two_common_chunks_are_in_order() -> None:
    assert disorder((A, B), (B, D)) == 0
    assert disorder((), ()) == 0


def test_overlap_and_share_by_hand_with_another_order() -> None:
    # beta = 1, gamma = 2/3, beta' = 1/3
    found = fix(TAKEN, (C, A, B), alpha=0.5)
    assert found.overlap == pytest.approx(1 / 3)
    assert found.cfo == pytest.approx(0.5 * IMPACT * 2 / 3)


def test_nothing_shared_is_known_to_be_nothing() -> None:
    found = fix(TAKEN, (D,), alpha=1)
    assert found.cfo == pytest.approx(IMPACT)
    assert found.overlap == 0


def test_a_chunk_cached_alone_is_never_free() -> None:
    alone = Taken((), (), (), intra=4.0, tokens=10)
    assert fix(alone, (A,), alpha=1) == Fix(cfo=0.5, overlap=None)
    assert fix(alone, (), alpha=1) == Fix(cfo=0.5, overlap=None)


def test_a_chunk_that_took_nothing_has_no_known_overlap() -> None:
    assert overlap(replace(TAKEN, inter_sums=(0.0, 0.0, 0.0)), (A, B, C)) is None


def test_the_share_is_at_most_all() -> None:
    assert fix(TAKEN, (), alpha=5).cfo == 1


def test_a_chunk_without_attention_to_itself() -> None:
    assert context_impact(replace(TAKEN, intra=0.0)) == 1
    assert context_impact(replace(TAKEN, intra=0.0, inter_sums=(0.0, 0.0, 0.0))) == 0.5


def test_a_repeated_passage_counts_as_often_as_it_stands_there() -> None:
    twice = replace(TAKEN, behind=(A, B, A))
    assert overlap(twice, (A, B)) == pytest.approx(3 / 4)
    assert overlap(twice, (A, B, A)) == 1
    # The pairs (first A, B), (first A, second A), (B, second A): one of three turned.
    assert disorder((A, B, A), (A, A, B)) == pytest.approx(1 / 3)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="one entry a chunk"):
        replace(TAKEN, lengths=(10, 5))
    with pytest.raises(ValueError, match="at least one token"):
        replace(TAKEN, lengths=(10, 0, 5))
    with pytest.raises(ValueError, match="alpha is -1"):
        fix(TAKEN, (), alpha=-1)


@given(_takens(), st.lists(st.sampled_from([A, B, C, D]), max_size=6), st.floats(0, 4))
def test_all_stay_in_their_ranges(taken: Taken, now: list[bytes], alpha: float) -> None:
    found = fix(taken, now, alpha)
    assert 0 <= found.cfo <= 1
    assert found.overlap is None or 0 <= found.overlap <= 1
    assert 0.5 <= context_impact(taken) <= 1
    assert 0 <= disorder(taken.behind, now) <= 1
    assert found.overlap is None or fix(taken, taken.behind, alpha).cfo == 0
