"""Words apart by blanks."""

from __future__ import annotations

from cachemw_policies.guards.wordlist import in_order, listed


def test_words_of_a_text() -> None:
    assert listed("b a  b") == {"a", "b"}
    assert in_order("b a  b") == ("b", "a", "b")
