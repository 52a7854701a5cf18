"""Two things that have traded places."""

from __future__ import annotations

import pytest
from cachemw_policies.guards.reading import read
from cachemw_policies.guards.roles import differ

DIFFER = [
    ("How do I convert pdf to html?", "How do I convert html to pdf?"),
    ("How do you convert liters to kilograms?", "How do you convert kg to liters?"),
    ("How far is it from Rome to Paris?", "How far is it from Paris to Rome?"),
    ("Is a cat faster than a dog?", "Is a dog faster than a cat?"),
    ("Do cats eat mice?", "Do mice eat cats?"),
    ("Why do Poles dislike Russians?", "Why do Russians dislike Poles?"),
    ("What percentage of doctors are women?", "What percentage of women are doctors?"),
    ("What is 7 - 5?", "What is 5 - 7?"),
    ("Did Germany invade Poland?", "Did Poland invade Germany?"),
]
AGREE = [
    ("Is it Rome vs Paris?", "Is it Paris vs Rome?"),
    ("How does one tell between Rome and Paris?", "How does one tell between Paris and Rome?"),
    ("Do cats eat mice?", "Do mice get eaten?"),
    ("How do I convert pdf to html?", "How can I convert a PDF to HTML?"),
    ("What music genre is this?", "What is the genre of this music?"),
    ("Is jailbreaking an iPhone worth it?", "Is it worth jailbreaking an iPhone?"),
    ("What are the causes of fever?", "What are fever causes?"),
]


@pytest.mark.parametrize(("a", "b"), DIFFER)
def test_objects(a: str, b: str) -> None:
    assert differ(read(a), read(b))
    assert differ(read(b), read(a))


@pytest.mark.parametrize(("a", "b"), AGREE)
def test_does_not_object(a: str, b: str) -> None:
    assert not differ(read(a), read(b))
    assert not differ(read(b), read(a))
