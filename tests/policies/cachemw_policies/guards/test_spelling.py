"""Slips of the pen and endings."""

from __future__ import annotations

import pytest
from cachemw_policies.guards.spelling import alike
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("tolstoy", "tolstoj"),
        ("shakespeare", "shakespear"),
        ("india", "indian"),
        ("bangalore", "bengalore"),
        ("germany", "german"),
        ("usa", "usa"),
    ],
)
def test_alike(one: str, two: str) -> None:
    assert alike(one, two)
    assert alike(two, one)


@pytest.mark.parametrize(
    ("one", "two"), [("rome", "paris"), ("usa", "uae"), ("java", "javascript"), ("cat", "cats")]
)
def test_not_alike(one: str, two: str) -> None:
    assert not alike(one, two)


@given(st.text(max_size=20), st.text(max_size=20))
def test_symmetric(one: str, two: str) -> None:
    assert alike(one, two) == alike(two, one)
    assert alike(one, one)
