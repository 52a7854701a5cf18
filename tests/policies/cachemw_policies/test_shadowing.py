"""How many served hits are checked."""

from __future__ import annotations

from itertools import pairwise

import pytest
from cachemw_policies.shadowing import ShadowSettings, shadow_probability
from hypothesis import given
from hypothesis import strategies as st

SETTINGS = ShadowSettings(share=0.02, dense=100)


def test_everything_is_checked_at_first() -> None:
    assert shadow_probability(0, 0, 0.03, SETTINGS) == 1.0
    assert shadow_probability(99, 0, 0.5, SETTINGS) == 1.0


def test_the_share_falls_to_the_budget_as_labels_come() -> None:
    found = [shadow_probability(n, n / 100, 0.03, SETTINGS) for n in (100, 300, 1000, 3000, 20_000)]
    assert found[0] == 1.0
    assert found[-1] == SETTINGS.share
    assert all(before >= after for before, after in pairwise(found))


def test_a_smaller_delta_needs_more_checks() -> None:
    assert shadow_probability(1000, 5, 0.01, SETTINGS) > shadow_probability(1000, 5, 0.05, SETTINGS)


def test_more_errors_mean_more_checks() -> None:
    known, doubtful = (shadow_probability(800, errors, 0.03, SETTINGS) for errors in (2, 30))
    assert doubtful > known


@pytest.mark.parametrize("load", [0.5, 0.8, 1.0])
def test_nothing_is_checked_under_overload(load: float) -> None:
    assert shadow_probability(0, 0, 0.03, SETTINGS, load=load) == 0.0


def test_nothing_is_checked_without_a_token() -> None:
    assert shadow_probability(0, 0, 0.03, SETTINGS, tokens=0.9) == 0.0
    assert shadow_probability(0, 0, 0.03, SETTINGS, tokens=1.0) == 1.0


@given(
    st.floats(0, 1e6),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(-10, 100),
)
def test_it_is_a_probability(
    labels: float, wrong: float, delta: float, load: float, tokens: float
) -> None:
    found = shadow_probability(labels, wrong * labels, delta, SETTINGS, load=load, tokens=tokens)
    assert found == 0.0 or SETTINGS.share <= found <= 1.0
