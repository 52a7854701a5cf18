"""Words of numbers and units."""

from __future__ import annotations

from cachemw_policies.guards.number_words import LETTERS, LOOSE, MAGNITUDES, SMALL, UNITS


def test_values() -> None:
    assert (SMALL["nineteen"], SMALL["ninety"], MAGNITUDES["k"]) == (19, 90, 1000)


def test_spellings_of_a_unit_are_one() -> None:
    assert UNITS["kilometres"] == UNITS["km"]
    assert UNITS["$"] == UNITS["dollars"] == UNITS["usd"]
    assert UNITS["c"] != UNITS["f"]


def test_tables_agree() -> None:
    assert set(SMALL) >= LOOSE
    assert LETTERS - {"in"} <= set(UNITS)
    assert not set(SMALL) & set(MAGNITUDES)
