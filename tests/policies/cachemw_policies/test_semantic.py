"""The best of the near ones, never the first that would do."""

from __future__ import annotations

from cachemw_policies.semantic import Candidate, decide, effective_threshold
from hypothesis import given
from hypothesis import strategies as st

similarities = st.floats(-1, 1)
candidates = st.lists(st.builds(Candidate, st.binary(max_size=2), similarities), max_size=8)


def near(*similarities: float) -> list[Candidate]:
    return [Candidate(b"%d" % rank, value) for rank, value in enumerate(similarities)]


def test_the_best_goes_first_wherever_it_stands() -> None:
    one, two, three = near(0.94, 0.99, 0.96)

    assert decide([one, two, three], 0.93).servable == (two, three, one)


def test_at_the_threshold_is_enough() -> None:
    below, at = near(0.9299, 0.93)

    assert decide([below, at], 0.93).servable == (at,)


def test_no_candidate() -> None:
    decision = decide([], 0.93)

    assert (decision.servable, decision.best_similarity, decision.threshold) == ((), None, 0.93)


def test_a_miss_tells_how_near_it_was() -> None:
    decision = decide(near(0.2, 0.8, 0.5), 0.93)

    assert (decision.servable, decision.best_similarity) == ((), 0.8)


def test_equals_keep_the_order_of_the_search() -> None:
    found = near(0.95, 0.95, 0.95)

    assert decide(found, 0.9).servable == tuple(found)


@given(candidates, similarities)
def test_all_that_may_be_served_and_nothing_else(found: list[Candidate], threshold: float) -> None:
    decision = decide(found, threshold)

    served = [candidate.similarity for candidate in decision.servable]
    assert served == sorted(
        (c.similarity for c in found if c.similarity >= threshold), reverse=True
    )
    assert decision.best_similarity == max((c.similarity for c in found), default=None)


@given(candidates, st.permutations(range(8)), similarities)
def test_the_order_of_the_search_does_not_decide(
    found: list[Candidate], order: list[int], threshold: float
) -> None:
    shuffled = [found[place] for place in order if place < len(found)]

    assert {c.similarity for c in decide(shuffled, threshold).servable[:1]} == {
        c.similarity for c in decide(found, threshold).servable[:1]
    }


@given(similarities, st.none() | similarities, candidates)
def test_a_client_only_tightens(
    configured: float, requested: float | None, found: list[Candidate]
) -> None:
    threshold = effective_threshold(configured, requested)

    assert threshold >= configured
    assert threshold in (configured, requested)
    assert set(decide(found, threshold).servable) <= set(decide(found, configured).servable)
