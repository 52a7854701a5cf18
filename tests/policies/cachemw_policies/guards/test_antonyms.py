"""Opposites, in any inflection, unless both sides have both."""

from __future__ import annotations

import pytest
from cachemw_policies.guards.antonyms import differ
from cachemw_policies.guards.reading import read

DIFFER = [
    ("How do I enable wifi?", "How do I disable wifi?"),
    ("Enabling cookies", "Disabling cookies"),
    ("Sort in ascending order", "Sort in descending order"),
    ("Which food increases blood pressure?", "Which food lowers blood pressure?"),
    ("Should I buy gold?", "Should I sell gold?"),
    ("Where was gold bought?", "Where was gold sold?"),
    ("How do I encode a url?", "How do I decode a url?"),
    ("What is the minimum of a list?", "What is the maximum of a list?"),
    ("What are the pros of rain?", "What are the cons of rain?"),
    ("What are the advantages of rain?", "What are the disadvantages of rain?"),
    ("Before lunch", "After lunch"),
    ("Who was the first king?", "Who was the last king?"),
    ("How do I add a user?", "How do I remove a user?"),
    ("How do I install git?", "How do I uninstall git?"),
    ("How do I log in?", "How do I log out?"),
    ("How do I turn on the light?", "How do I turn off the light?"),
    ("What do men want?", "What do women want?"),
    ("Is Toronto a safe city?", "Is Toronto a dangerous city?"),
    ("What is the best gift you gave?", "What is the best gift you received?"),
    ("What are the causes of fever?", "What are the effects of fever?"),
    ("Is lending money wise?", "Is borrowing money wise?"),
    ("How do I import data?", "How do I export data?"),
    ("Where do I turn left?", "Where do I turn right?"),
]
AGREE = [
    ("Should I buy or sell gold?", "Should I sell or buy gold?"),
    ("How do I enable wifi?", "How do I turn on wifi?"),
    ("Is it good to buy gold?", "Is buying gold good?"),
    ("What happens in water?", "What comes out of water?"),
    ("Is it on time?", "Is it in time?"),
    ("What goes up?", "What rises?"),
    ("Which adds most?", "Which adds the most?"),
    ("How do I open a file?", "How do I open files?"),
]


@pytest.mark.parametrize(("a", "b"), DIFFER)
def test_objects(a: str, b: str) -> None:
    assert differ(read(a), read(b))
    assert differ(read(b), read(a))


@pytest.mark.parametrize(("a", "b"), AGREE)
def test_does_not_object(a: str, b: str) -> None:
    assert not differ(read(a), read(b))
    assert not differ(read(b), read(a))
