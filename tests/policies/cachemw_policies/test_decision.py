"""The decision, case by case; test_decision_properties.py has what holds for all of them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import (
    Bar,
    Candidate,
    CategoryState,
    ClientLimits,
    Decision,
    Outcome,
    Weighed,
    decide,
    fresh_for,
    shortlist,
    threshold_in_force,
    ttl_in_force,
)

NOW = 1_000_000.0
POLICY = CategoryPolicy("code", ttl=100.0, ttl_overload=300.0)
STATE = CategoryState(Bar(0.9, "calibrated"), Bar(0.8, "calibrated"))
PROBATION = CategoryState(Bar(None, "probation"), Bar(None, "probation"))


def weighed(score: float | None = 0.95, key: bytes = b"k", **changed: Any) -> Weighed:
    similarity = changed.pop("similarity", 0.9)
    one = Weighed(Candidate(key, similarity), NOW - 10, NOW + 1000, score)
    return replace(one, **changed)


def decided(
    *some: Weighed,
    policy: CategoryPolicy = POLICY,
    state: CategoryState = STATE,
    load: float = 0.0,
    client: ClientLimits | None = None,
) -> Decision:
    return decide(some, policy, state, load, NOW, client or ClientLimits())


class TestOutcomes:
    @pytest.mark.parametrize(
        ("one", "outcome"),
        [
            (weighed(0.9), Outcome.SERVED),
            (weighed(0.8999), Outcome.BELOW),
            (weighed(math.nan), Outcome.BELOW),
            (weighed(None), Outcome.UNVERIFIED),
            (weighed(None, objection="numbers"), Outcome.GUARDED),
            (weighed(1.0, objection="numbers"), Outcome.GUARDED),
            (weighed(1.0, expires_at=NOW), Outcome.STALE),
            (weighed(1.0, created_at=NOW - 100), Outcome.STALE),
            (weighed(1.0, expires_at=NOW, objection="numbers"), Outcome.STALE),
        ],
    )
    def test_of_one_candidate(self, one: Weighed, outcome: Outcome) -> None:
        decision = decided(one)

        assert (decision.outcome, decision.best) == (outcome, one)
        assert decision.served is (one if outcome is Outcome.SERVED else None)

    def test_of_none(self) -> None:
        assert decided() == Decision(Outcome.NOTHING_NEAR, None, 0.9, 0.0, "calibrated")

    def test_a_client_that_wants_more_similarity(self) -> None:
        one = weighed(1.0, similarity=0.9)

        assert decided(one, client=ClientLimits(0.9)).outcome is Outcome.SERVED
        assert decided(one, client=ClientLimits(0.91)).outcome is Outcome.NOTHING_NEAR

    def test_a_client_that_wants_younger_answers(self) -> None:
        assert decided(weighed(), client=ClientLimits(max_age=11)).ttl_left == 1
        assert decided(weighed(), client=ClientLimits(max_age=10)).outcome is Outcome.STALE

    @pytest.mark.parametrize("policy", [{"delta": 0.0}, {"allow_caching": False}])
    def test_a_category_without_semantic_hits(self, policy: dict[str, Any]) -> None:
        decision = decided(weighed(1.0), policy=replace(POLICY, **policy))

        assert decision == Decision(Outcome.NOT_ALLOWED, None, None, 0.0, "policy")

    def test_a_paused_category(self) -> None:
        decision = decided(weighed(1.0), state=replace(STATE, paused=True))

        assert (decision.outcome, decision.best) == (Outcome.PAUSED, None)

    def test_probation_serves_nothing_and_names_the_best_candidate(self) -> None:
        best = weighed(0.99, b"best")
        decision = decided(weighed(0.5), best, weighed(None, b"none"), state=PROBATION)

        assert (decision.outcome, decision.best) == (Outcome.BELOW, best)
        assert (decision.threshold, decision.origin) == (None, "probation")


class TestBestOfSeveral:
    def test_the_highest_score_and_not_the_nearest(self) -> None:
        near, sure = weighed(0.91, b"n", similarity=0.99), weighed(0.97, b"s", similarity=0.8)

        assert decided(near, sure).served == sure

    def test_the_nearest_of_equal_scores(self) -> None:
        far, near = weighed(0.95, b"f", similarity=0.8), weighed(0.95, b"n", similarity=0.9)

        assert decided(far, near).served == near

    def test_what_may_be_served_goes_before_what_scores_higher(self) -> None:
        stale, guarded = weighed(1.0, expires_at=NOW), weighed(1.0, objection="numbers")
        good = weighed(0.91, b"g")

        assert decided(stale, guarded, good).served == good

    @pytest.mark.parametrize(
        ("nearer", "farther"),
        [
            (weighed(0.1), weighed(1.0, objection="numbers")),
            (weighed(None, objection="numbers"), weighed(None)),
            (weighed(None), weighed(1.0, expires_at=NOW)),
            (weighed(0.2), weighed(math.nan)),
            (weighed(0.2), weighed(0.1, similarity=1.0)),
        ],
    )
    def test_who_is_named_where_nothing_is_served(self, nearer: Weighed, farther: Weighed) -> None:
        for order in ((nearer, farther), (farther, nearer)):
            decision = decided(*order)
            assert decision.best == nearer
            assert decision.served is None


class TestThresholdInForce:
    @pytest.mark.parametrize(
        ("normal", "overload", "load", "expected"),
        [
            (0.9, 0.8, 0.0, 0.9),
            (0.9, 0.8, 0.5, 0.85),
            (0.9, 0.8, 1.0, 0.8),
            (0.9, 0.8, 7.0, 0.8),
            (0.9, 0.8, -1.0, 0.9),
            (0.9, 0.8, math.nan, 0.9),
            (0.9, 0.95, 1.0, 0.9),  # load never moves it up
            (0.9, None, 1.0, 0.9),
            (None, 0.8, 1.0, None),  # nor into being where there is none
        ],
    )
    def test_table(
        self, normal: float | None, overload: float | None, load: float, expected: float | None
    ) -> None:
        state = CategoryState(Bar(normal, ""), Bar(overload, ""))

        assert threshold_in_force(POLICY, state, load) == pytest.approx(expected)


class TestTtl:
    @pytest.mark.parametrize(
        ("ttl_overload", "load", "expected"),
        [(300, 0, 100), (300, 0.5, 200), (300, 1, 300), (300, 9, 300), (50, 1, 100)],
    )
    def test_load_makes_it_longer_and_never_shorter(
        self, ttl_overload: float, load: float, expected: float
    ) -> None:
        assert ttl_in_force(replace(POLICY, ttl_overload=ttl_overload), load) == expected

    def test_a_sliding_one_is_kept_by_the_expiry_alone(self) -> None:
        times = {"created_at": NOW - 5000, "expires_at": NOW + 7, "now": NOW}

        assert fresh_for(replace(POLICY, sliding=True), 0.0, **times).ttl_left == 7
        assert not fresh_for(POLICY, 1.0, **times).servable

    def test_the_stores_expiry_goes_before_a_longer_ttl(self) -> None:
        fresh = fresh_for(POLICY, 1.0, created_at=NOW - 1, expires_at=NOW + 2, now=NOW)

        assert (fresh.age, fresh.ttl_left) == (1, 2)


class TestShortlist:
    def test_the_nearest_that_are_near_enough(self) -> None:
        some = [Candidate(b"a", 0.7), Candidate(b"b", 0.9), Candidate(b"c", 0.8)]

        assert [c.key for c in shortlist(some, 0.7, 2)] == [b"b", b"c"]
        assert [c.key for c in shortlist(some, 0.75, 3)] == [b"b", b"c"]
        assert shortlist([Candidate(b"a", math.nan)], -1.0, 3) == []
