"""What is quoted or code must be on both sides."""

from __future__ import annotations

import pytest
from cachemw_policies.guards.quotes import differ
from cachemw_policies.guards.reading import read

DIFFER = [
    ('What does "dog day" mean?', 'What does "cat nap" mean?'),
    ("What does `ls -l` print?", "What does `ls -a` print?"),
    ("What does 'carpe diem' mean?", "What does 'memento mori' mean?"),
    ("What does “dog day” mean?", "What does “cat nap” mean?"),
]
AGREE = [
    ('What does "dog day" mean?', "What does “Dog Day” mean?"),
    ('What does ""dog day"" mean?', 'What does "dog  day" mean?'),
    ('What does "dog day" mean?', "What does dog day mean?"),
    ("What does `ls -l` print?", "What is printed by `ls  -l`?"),
    ('What is "x" in "y"?', 'What is y in "x"?'),
    ("It's Ann's turn, isn't it?", "Whose turn's it, Bob's?"),
]


@pytest.mark.parametrize(("a", "b"), DIFFER)
def test_objects(a: str, b: str) -> None:
    assert differ(read(a), read(b))
    assert differ(read(b), read(a))


@pytest.mark.parametrize(("a", "b"), AGREE)
def test_does_not_object(a: str, b: str) -> None:
    assert not differ(read(a), read(b))
    assert not differ(read(b), read(a))
