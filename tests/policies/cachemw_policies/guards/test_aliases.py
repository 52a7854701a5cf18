"""Other names of the same."""

from __future__ import annotations

from cachemw_policies.guards.aliases import ALIASES


def test_other_spellings_stand_for_each_other() -> None:
    assert "mumbai" in ALIASES["bombay"]
    assert "bombay" in ALIASES["mumbai"]
    assert "indian" in ALIASES["india"]


def test_other_members_of_a_set_do_not() -> None:
    assert "china" not in ALIASES["india"]


def test_both_ways() -> None:
    assert all(word in ALIASES[other] for word, others in ALIASES.items() for other in others)
