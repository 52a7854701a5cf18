"""Members of one set that exclude one another."""

from __future__ import annotations

import pytest
from cachemw_policies.guards.exclusive import differ
from cachemw_policies.guards.reading import read

DIFFER = [
    ("How do I copy files on Linux?", "How do I copy files on Windows?"),
    ("how do i sort a list in python", "how do i sort a list in java"),
    ("Is Java hard?", "Is JavaScript hard?"),
    ("Why is the sky blue?", "Why is the sky red?"),
    ("What do cats eat?", "What do dogs eat?"),
    ("Who rules india", "Who rules china"),
    ("What is the Indian diet?", "What is the Chinese diet?"),
    ("What is north of Rome?", "What is south of Rome?"),
    ("How do I read a csv?", "How do I read a json?"),
    ("How many km in a light year?", "How many miles in a light year?"),
    ("What to eat for breakfast?", "What to eat for lunch?"),
    ("how to delete facebook", "how to delete instagram"),
    ("Bitcoin in dollars", "Bitcoin in euros"),
    ("What is the mass of helium?", "What is the mass of carbon?"),
    ("Is ibuprofen safe?", "Is aspirin safe?"),
]
AGREE = [
    ("Is Bombay in India?", "Is Mumbai in India?"),
    ("How do I read a jpg?", "How do I read a jpeg?"),
    ("Is Python or Java better?", "Is Java or Python better?"),
    ("What do cats eat?", "What does a cat eat?"),
    ("Who rules India?", "Who is the Indian ruler?"),
    ("Is python hard?", "Is programming hard?"),
    ("Why is the sky blue?", "Why does the sky look blue?"),
    ("Can you tell us about red?", "Can you tell me about red?"),
]


@pytest.mark.parametrize(("a", "b"), DIFFER)
def test_objects(a: str, b: str) -> None:
    assert differ(read(a), read(b))
    assert differ(read(b), read(a))


@pytest.mark.parametrize(("a", "b"), AGREE)
def test_does_not_object(a: str, b: str) -> None:
    assert not differ(read(a), read(b))
    assert not differ(read(b), read(a))
