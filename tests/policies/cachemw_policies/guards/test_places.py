"""A place that limits one question only."""

from __future__ import annotations

import pytest
from cachemw_policies.guards.places import differ
from cachemw_policies.guards.reading import read

DIFFER = [
    ("What is the price of gold in the UK?", "What is the price of gold?"),
    ("What are the best casinos in America?", "What are the best casinos?"),
    ("how to get a sim card in india", "how to get a sim card"),
    ("How much do implants cost in South Australia?", "How much do implants cost?"),
    ("Where can I swim near London?", "Where can I swim?"),
]
AGREE = [
    ("Who is the president of India?", "Who is the president?"),
    ("How can I improve in English?", "How can I improve?"),
    ("What do people in India eat?", "What do Indian people eat?"),
    ("What is life like in the US?", "What is life like in America?"),
    ("What is life like in Bombay?", "What is life like in Mumbai?"),
    ("Why did India go to war?", "Why did the country go to war?"),
]


@pytest.mark.parametrize(("a", "b"), DIFFER)
def test_objects(a: str, b: str) -> None:
    assert differ(read(a), read(b))
    assert differ(read(b), read(a))


@pytest.mark.parametrize(("a", "b"), AGREE)
def test_does_not_object(a: str, b: str) -> None:
    assert not differ(read(a), read(b))
    assert not differ(read(b), read(a))
