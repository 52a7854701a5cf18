"""Demands on the answer's length, form and language."""

from __future__ import annotations

import pytest
from cachemw_policies.guards.reading import read
from cachemw_policies.guards.scope import differ

DIFFER = [
    ("Explain gravity in one sentence", "Explain gravity"),
    ("Summarize this novel", "Tell me about this novel"),
    ("Explain gravity to a child", "Explain gravity"),
    ("Explain gravity to a 5 year old", "Explain gravity"),
    ("Explain gravity for kids", "Explain gravity"),
    ("Explain gravity in simple terms", "Explain gravity"),
    ("List the planets as a table", "List the planets"),
    ("List the planets in JSON", "List the planets in YAML"),
    ("Write a poem in French", "Write a poem"),
    ("Translate cat into French", "Translate cat into German"),
]
AGREE = [
    ("Explain gravity briefly", "Explain gravity in two sentences"),
    ("How can I improve in English?", "How can I get better?"),
    ("What is the longest word in English?", "What is the longest word of all?"),
    ("Which language is best for beginners?", "Which language is best?"),
    ("Explain gravity", "What is gravity?"),
    ("How do you say thanks in Japanese?", "What is thanks in Japanese?"),
    ("How do I parse json?", "How can I parse json?"),
]


@pytest.mark.parametrize(("a", "b"), DIFFER)
def test_objects(a: str, b: str) -> None:
    assert differ(read(a), read(b))
    assert differ(read(b), read(a))


@pytest.mark.parametrize(("a", "b"), AGREE)
def test_does_not_object(a: str, b: str) -> None:
    assert not differ(read(a), read(b))
    assert not differ(read(b), read(a))
