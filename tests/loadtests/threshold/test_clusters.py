from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loadtests.questions import Pair
from loadtests.threshold.clusters import clusters, halves

PAIRS = st.lists(
    st.builds(Pair, st.sampled_from("abcdefghij"), st.sampled_from("abcdefghij"), st.booleans())
)


def test_questions_are_connected_over_several_pairs() -> None:
    chain = [Pair("c", "d", same=False), Pair("a", "b", same=True), Pair("b", "c", same=True)]
    assert set(clusters(chain).values()) == {"a"}


@given(PAIRS)
def test_no_question_is_in_both_halves(pairs: list[Pair]) -> None:
    here, there = (
        {text for position in half for text in (pairs[position].a, pairs[position].b)}
        for half in halves(pairs)
    )
    assert not here & there


@given(PAIRS)
def test_every_pair_is_in_one_half(pairs: list[Pair]) -> None:
    here, there = halves(pairs)
    assert sorted(here + there) == list(range(len(pairs)))


@given(PAIRS)
def test_the_order_of_the_pairs_does_not_matter(pairs: list[Pair]) -> None:
    assert clusters(pairs) == clusters(pairs[::-1])


def test_the_halves_are_about_equal() -> None:
    here, there = halves([Pair(f"a{n}", f"b{n}", same=True) for n in range(1000)])
    assert 400 < len(here) < 600
    assert len(here) + len(there) == 1000
