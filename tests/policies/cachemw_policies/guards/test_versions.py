"""Versions are compared as written."""

from __future__ import annotations

import pytest
from cachemw_policies.guards.reading import read
from cachemw_policies.guards.versions import differ

DIFFER = [
    ("What is new in Python 3.10?", "What is new in Python 3.1?"),
    ("Is python 3.10 stable?", "Is python3.11 stable?"),
    ("Does iOS 17 drain the battery?", "Does iOS 16 drain the battery?"),
    ("How do I update Windows 10?", "How do I update Windows 11?"),
    ("How good is GPT-4?", "How good is GPT-3.5?"),
    ("What changed in v2?", "What changed in v3?"),
    ("What changed in v2.0?", "What changed in version 3.0?"),
    ("Battery of an iPhone 5S", "Battery of an iPhone 5"),
    ("How do I pass exam C4040-121?", "How do I pass exam C2150-202?"),
    ("What does vitamin B6 do?", "What does vitamin B12 do?"),
    ("How do I play mp3 files?", "How do I play mp4 files?"),
    ("Who won ww1?", "Who won ww2?"),
]
AGREE = [
    ("What is new in Python 3.10?", "What's new in python3.10?"),
    ("How good is GPT-4?", "How good is gpt4?"),
    ("What changed in v2?", "What changed in version 2?"),
    ("How do I update Windows 10?", "How can I update windows10?"),
    ("How do I install Python 3?", "How do I install Python?"),
    ("How do I learn Python in 10 days?", "How do I learn Python in 20 days?"),
    ("Who won World War II?", "Who won WWII?"),
    ("Who won World War Two?", "Who won WW2?"),
    ("Is 5 more than 4?", "Is 4 less than 5?"),
]


@pytest.mark.parametrize(("a", "b"), DIFFER)
def test_objects(a: str, b: str) -> None:
    assert differ(read(a), read(b))
    assert differ(read(b), read(a))


@pytest.mark.parametrize(("a", "b"), AGREE)
def test_does_not_object(a: str, b: str) -> None:
    assert not differ(read(a), read(b))
    assert not differ(read(b), read(a))
