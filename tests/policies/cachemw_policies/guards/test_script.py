"""English or not."""

from __future__ import annotations

import pytest
from cachemw_policies.guards.script import english_enough
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    "text",
    [
        "How do I sort a list in Python?",
        "What does carpe diem mean?",
        "best pizza rome",
        "What is the meaning of la vie en rose?",
        "Who wrote Der Prozess?",
        "Where is Zürich?",
        "What does 猫 mean in English?",
        "getUserName()",
        "2 + 2",
        "",
    ],
)
def test_english(text: str) -> None:
    assert english_enough(text)


@pytest.mark.parametrize(
    "text",
    [
        "как отсортировать список",
        "リストをソートするには",
        "كيف أرتب قائمة",
        "Wie sortiere ich eine Liste in Python?",
        "Comment est-ce que je trie une liste ?",
        "¿Cómo ordeno una lista en Python y qué es?",
        "Hoe kan ik een lijst in Python sorteren?",
        "Come si ordina una lista per data?",
    ],
)
def test_not_english(text: str) -> None:
    assert not english_enough(text)


@given(st.text())
def test_any_text_has_a_verdict(text: str) -> None:
    assert english_enough(text) in {True, False}
