"""What is denied, and what only looks so."""

from __future__ import annotations

import pytest
from cachemw_policies.guards.negation import differ
from cachemw_policies.guards.reading import read

DIFFER = [
    ("Why should I vote for him?", "Why shouldn't I vote for him?"),
    ("What can I eat?", "What can't I eat?"),
    ("Which foods can I eat?", "Which foods can I not eat?"),
    ("Which foods can I eat?", "Which foods cannot be eaten?"),
    ("Which animals sleep?", "Which animals never sleep?"),
    ("How do I live with money?", "How do I live without money?"),
    ("How do I earn money?", "How do I earn money without investment?"),
    ("Why do people vote?", "Why don't people vote?"),
    ("Why do people vote?", "Why dont people vote?"),
    ("Is India safe for tourists?", "Is India unsafe for tourists?"),
    ("Is it legal to copy a book?", "Is it illegal to copy a book?"),
    ("What is a possible move?", "What is an impossible move?"),
    ("Who has a job?", "Who has no job?"),
]
AGREE = [
    ("Why don't people vote?", "Why do people not vote?"),
    ("Why can't I sleep?", "Why am I unable to sleep?"),
    ("Why can't I sleep?", "Why cannot I sleep?"),
    ("Isn't Rome in Italy?", "Is Rome in Italy?"),
    ("Is Rome in Italy, isn't it?", "Is Rome in Italy?"),
    ("Should I go or not?", "Should I go?"),
    ("Is it safe? Why or why not?", "Is it safe? Why?"),
    ("How do I stop biting my nails?", "How do I not bite my nails?"),
    ("How do I avoid mistakes?", "How do I make no mistakes?"),
    ("What if I forgot my password?", "What if I can't remember my password?"),
    ("Where is train no. 17026?", "Where is train number 17026?"),
    ("Did no one see it?", "Did anyone see it?"),
    ("Is this form valid?", "Is this inform valid?"),
    ("Which is the best song?", "Which one is the best song?"),
]


@pytest.mark.parametrize(("a", "b"), DIFFER)
def test_objects(a: str, b: str) -> None:
    assert differ(read(a), read(b))
    assert differ(read(b), read(a))


@pytest.mark.parametrize(("a", "b"), AGREE)
def test_does_not_object(a: str, b: str) -> None:
    assert not differ(read(a), read(b))
    assert not differ(read(b), read(a))
