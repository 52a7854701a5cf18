"""What holds of every decision: proven, fresh, allowed, the best; what tightens only tightens."""

from __future__ import annotations

import math
from dataclasses import replace

from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import (
    Bar,
    Candidate,
    CategoryState,
    ClientLimits,
    Decision,
    Outcome,
    Weighed,
    blended,
    decide,
    may_serve,
    shortlist,
    threshold_in_force,
    ttl_in_force,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_000_000.0
PROBATION = CategoryState(Bar(None, "probation"), Bar(None, "probation"))


def decided(
    *some: Weighed,
    policy: CategoryPolicy,
    state: CategoryState,
    load: float = 0.0,
    client: ClientLimits | None = None,
) -> Decision:
    return decide(some, policy, state, load, NOW, client or ClientLimits())


# Whatever a verifier and an index may come up with, and what they must not; good ones often enough.
SHARES = st.floats(0, 1)
SCORES = SHARES | st.floats(0.9, 1) | st.sampled_from([None, math.nan, -math.inf, -1.0])
SIMILARITIES = st.floats(-1, 1)
LOADS = st.floats(-0.5, 1.5) | st.just(math.nan)
THRESHOLDS = st.floats(0, 1) | st.floats(0, 0.9) | st.none()
BARS = st.builds(Bar, THRESHOLDS, st.just("calibrated"))
RARELY = st.sampled_from([False, False, False, True])
STATES = st.builds(CategoryState, BARS, BARS, RARELY)
POLICIES = st.builds(
    CategoryPolicy,
    st.just("code"),
    ttl=st.floats(50, 1000),
    sliding=st.booleans(),
    allow_caching=RARELY.map(lambda rarely: not rarely),
    delta=st.sampled_from([0.03, 0.03, 0.03, 0.0]),
    ttl_overload=st.floats(1, 1000),
    safety_critical=st.booleans(),
)
LIMITS = st.builds(ClientLimits, st.floats(-1, 0.9), st.none() | st.floats(0, 1000))
ONES = st.builds(
    Weighed,
    st.builds(Candidate, st.binary(min_size=1, max_size=2), st.floats(0.5, 1)),
    st.floats(NOW - 200, NOW + 10),
    st.floats(NOW - 10, NOW + 1000),
    SCORES,
    st.sampled_from([None, None, None, "numbers"]),
)
SOME = st.lists(ONES, max_size=4)


class TestThresholdInForce:
    @given(POLICIES, STATES, st.lists(LOADS.filter(math.isfinite), min_size=2, max_size=2))
    def test_more_load_never_raises_it(
        self, policy: CategoryPolicy, state: CategoryState, loads: list[float]
    ) -> None:
        calm, loaded = (threshold_in_force(policy, state, load) for load in sorted(loads))

        assert (calm is None) is (loaded is None)
        assert calm is None or loaded is None or loaded <= calm + 1e-12

    @given(POLICIES, STATES, LOADS)
    def test_it_stays_between_both(
        self, policy: CategoryPolicy, state: CategoryState, load: float
    ) -> None:
        found, normal = threshold_in_force(policy, state, load), state.normal.threshold

        assert found is None or (normal is not None and found <= normal)
        lowest = normal if state.overload.threshold is None else state.overload.threshold
        if found is not None and normal is not None and lowest is not None:
            assert found >= min(lowest, normal) - 1e-12

    @given(POLICIES, STATES, LOADS)
    def test_nothing_moves_what_is_safety_critical(
        self, policy: CategoryPolicy, state: CategoryState, load: float
    ) -> None:
        critical = replace(policy, safety_critical=True)

        assert threshold_in_force(critical, state, load) == threshold_in_force(critical, state, 0)
        assert ttl_in_force(critical, load) == critical.ttl


class TestTtl:
    @given(POLICIES, LOADS)
    def test_never_past_what_the_store_keeps(self, policy: CategoryPolicy, load: float) -> None:
        assert policy.ttl <= ttl_in_force(policy, load) <= max(policy.ttl, policy.ttl_overload)
        assert policy.sliding or ttl_in_force(policy, load) <= policy.longest_ttl + 1e-9


@given(SHARES, SHARES, LOADS)
def test_blending_stays_between(normal: float, overload: float, load: float) -> None:
    low, high = sorted((normal, overload))

    assert low - 1e-12 <= blended(normal, overload, load) <= high + 1e-12


class TestShortlist:
    @given(st.lists(st.builds(Candidate, st.binary(max_size=2), SIMILARITIES)), SIMILARITIES)
    def test_none_left_out_is_nearer(self, some: list[Candidate], least: float) -> None:
        chosen = shortlist(some, least, 2)

        assert all(candidate.similarity >= least for candidate in chosen)
        last = chosen[-1].similarity if len(chosen) == 2 else least
        others = list(some)
        for candidate in chosen:
            others.remove(candidate)
        assert all(c.similarity <= last or c.similarity < least for c in others)


class TestWhateverComes:
    @given(SOME, POLICIES, STATES, LOADS, LIMITS)
    def test_what_is_served_is_good_in_every_way(
        self,
        some: list[Weighed],
        policy: CategoryPolicy,
        state: CategoryState,
        load: float,
        client: ClientLimits,
    ) -> None:
        decision = decided(*some, policy=policy, state=state, load=load, client=client)
        served = decision.served
        if served is None:
            return
        assert served.objection is None
        assert served.score is not None
        assert decision.threshold is not None
        assert served.score >= decision.threshold
        assert served.candidate.similarity >= client.min_similarity
        assert served.expires_at > NOW
        assert decision.ttl_left > 0
        assert client.max_age is None or NOW - served.created_at < client.max_age
        assert policy.sliding or served.created_at + ttl_in_force(policy, load) > NOW
        assert may_serve(policy)
        assert not state.paused

    @given(SOME, POLICIES, STATES, LOADS, LIMITS)
    def test_no_servable_candidate_is_better(
        self,
        some: list[Weighed],
        policy: CategoryPolicy,
        state: CategoryState,
        load: float,
        client: ClientLimits,
    ) -> None:
        """Each alone tells whether it may be served; of those the best is, and only then."""
        together = decided(*some, policy=policy, state=state, load=load, client=client).served
        alone = [
            decided(one, policy=policy, state=state, load=load, client=client).served
            for one in some
        ]
        servable = [one.score for one in alone if one is not None and one.score is not None]

        assert (together is None) is (not servable)
        assert together is None or together.score == max(servable)

    @given(SOME, POLICIES, STATES, LOADS, LIMITS)
    def test_a_client_only_tightens(
        self,
        some: list[Weighed],
        policy: CategoryPolicy,
        state: CategoryState,
        load: float,
        client: ClientLimits,
    ) -> None:
        limited = decided(*some, policy=policy, state=state, load=load, client=client)
        free = decided(*some, policy=policy, state=state, load=load)

        if limited.served is not None:
            assert free.served is not None
            assert free.ttl_left >= limited.ttl_left or free.served != limited.served
        assert limited.threshold == free.threshold

    @given(SOME, POLICIES, st.lists(SHARES, min_size=2, max_size=2), LOADS)
    def test_a_higher_threshold_serves_no_more(
        self, some: list[Weighed], policy: CategoryPolicy, bars: list[float], load: float
    ) -> None:
        low, high = (CategoryState(Bar(bar, ""), Bar(bar, "")) for bar in sorted(bars))
        strict = decided(*some, policy=policy, state=high, load=load).served

        if strict is not None:
            assert decided(*some, policy=policy, state=low, load=load).served == strict

    @given(SOME, POLICIES, STATES, st.lists(SHARES, min_size=2, max_size=2))
    def test_more_load_serves_no_less(
        self, some: list[Weighed], policy: CategoryPolicy, state: CategoryState, loads: list[float]
    ) -> None:
        calm, loaded = (
            decided(*some, policy=policy, state=state, load=load).served for load in sorted(loads)
        )

        if calm is not None:
            assert loaded is not None
        if policy.safety_critical:
            assert loaded == calm

    @given(st.lists(ONES, min_size=1, max_size=4))
    def test_probation_still_names_a_candidate(self, some: list[Weighed]) -> None:
        decision = decided(*some, policy=CategoryPolicy("code"), state=PROBATION)

        assert decision.served is None
        assert decision.best in some
        alone = [decided(one, policy=CategoryPolicy("code"), state=PROBATION) for one in some]
        below = [one.best for one in alone if one.outcome is Outcome.BELOW]
        if below:
            assert decision.outcome is Outcome.BELOW
            best = decision.best
            scores = [one.score for one in below if one is not None and one.score is not None]
            known = [score for score in scores if score >= -1]
            assert best is not None
            assert not known or best.score == max(known)
