"""Kinds of questions that exclude one another."""

from __future__ import annotations

import pytest
from cachemw_policies.guards.question_type import differ
from cachemw_policies.guards.reading import read

DIFFER = [
    ("When was the wheel invented?", "Where was the wheel invented?"),
    ("Who invented the wheel?", "When was the wheel invented?"),
    ("Why are bridges used?", "How are bridges used?"),
    ("Why does Tinder work?", "How does Tinder work?"),
    ("How many people work here?", "Why do people work here?"),
    ("How old is Ann?", "How tall is Ann?"),
    ("How long is the film?", "How much is the film?"),
    ("In which place was it built?", "When was it built?"),
    ("What is the reason for rain?", "How do I make rain?"),
]
AGREE = [
    ("How do I learn to swim?", "What is the best way to learn to swim?"),
    ("Why is the sky blue?", "What is the reason that the sky is blue?"),
    ("How come the sky is blue?", "Why is the sky blue?"),
    ("Where can I find the manual?", "How do I find the manual?"),
    ("What time does it start?", "When does it start?"),
    ("What is a wheel?", "Who knows what a wheel is?"),
    ("Can I swim?", "When can I swim?"),
    ("Why and how did it rain?", "How did it rain?"),
    ("Who is he and where can I find him?", "Where can I find him?"),
    ("How safe is it?", "Why is it safe?"),
    ("Explain rain", "Why does it rain?"),
    ("When I sleep, why do I snore?", "Why do I snore when I sleep?"),
    ("How long does it take?", "When will it be done?"),
]


@pytest.mark.parametrize(("a", "b"), DIFFER)
def test_objects(a: str, b: str) -> None:
    assert differ(read(a), read(b))
    assert differ(read(b), read(a))


@pytest.mark.parametrize(("a", "b"), AGREE)
def test_does_not_object(a: str, b: str) -> None:
    assert not differ(read(a), read(b))
    assert not differ(read(b), read(a))
