"""Numbers and their units, in any notation."""

from __future__ import annotations

import pytest
from cachemw_policies.guards.numbers import differ
from cachemw_policies.guards.reading import read

DIFFER = [
    ("Is 40 too old to learn piano?", "Is 29 too old to learn piano?"),
    ("What are 5 uses of salt?", "What are 7 uses of salt?"),
    ("What are the top 5 songs?", "What are the top 10 songs?"),
    ("What can I cook in two hours?", "What can I cook in three hours?"),
    ("How far is 5 km?", "How far is 5 miles?"),
    ("Is 100C hot?", "Is 100F hot?"),
    ("Is 100 degrees celsius hot?", "Is 100 degrees fahrenheit hot?"),
    ("How heavy are 5kg?", "How heavy are 5 lbs?"),
    ("What can I buy for $100?", "What can I buy for 100 EUR?"),
    ("What can I buy for €100?", "What can I buy for £100?"),
    ("What is 3 million in words?", "What is 3 billion in words?"),
    ("A laptop under 50k", "A laptop under 60k"),
    ("What is 20% of 80?", "What is 25% of 80?"),
    ("What is 2 + 2?", "What is 2 * 2?"),
    ("What is 5 - 3?", "What is 5 + 3?"),
    ("What is -5 squared?", "What is 5 squared?"),
    ("Who won the third debate?", "Who won the fourth debate?"),
    ("Which are the 10 best songs?", "Which are the 20 best songs?"),
    ("How do I unlock an iPhone 6?", "How do I unlock an iPhone?"),
    ("Which sofa fits a room of 10-12 m?", "Which sofa fits a room of 10-15 m?"),
    ("Who has 12345678901234567?", "Who has 12345678901234568?"),
    ("What is three quarters of 1/2?", "What is three quarters of 1/3?"),
]
AGREE = [
    ("Is 1,000 a lot?", "Is 1000 a lot?"),
    ("Is 1000 a lot?", "Is 1k a lot?"),
    ("Is one thousand a lot?", "Is 1,000 a lot?"),
    ("What is 3.0 squared?", "What is 3 squared?"),
    ("Where do two rivers meet?", "Where do 2 rivers meet?"),
    ("I have 25 goats", "I have twenty-five goats"),
    ("Is 3 million enough?", "Is 3,000,000 enough?"),
    ("Is 2.5 million enough?", "Is 2500k enough?"),
    ("What costs $100?", "What costs 100 dollars?"),
    ("What costs Rs. 500?", "What costs rs500?"),
    ("How far is 5km?", "How far is 5 kilometres?"),
    ("Is 20% much?", "Is 20 percent much?"),
    ("Who won the 2nd debate?", "Who won the second debate?"),
    ("Who won the third debate?", "Who won the 3rd debate?"),
    ("What are the top 5 songs?", "What are the best songs?"),
    ("What are the two sides of the war?", "What are the sides of the war?"),
    ("Which are the 10 best songs?", "Which are the best songs?"),
    ("Why is it a 1 day ban?", "Why is it a day's ban?"),
    ("Which one is the best song?", "Which is the best song?"),
    ("How can one earn $10000 a month?", "How can I earn $10000 in a month?"),
    ("Best laptops of 2019?", "Best laptops of 2020?"),
    ("What happened on 5 May?", "What happened on May 5th?"),
    ("What happened on 1 May 2019?", "What happened on 2019-05-01?"),
    ("two hundred ten things", "210 things"),
]


@pytest.mark.parametrize(("a", "b"), DIFFER)
def test_objects(a: str, b: str) -> None:
    assert differ(read(a), read(b))
    assert differ(read(b), read(a))


@pytest.mark.parametrize(("a", "b"), AGREE)
def test_does_not_object(a: str, b: str) -> None:
    assert not differ(read(a), read(b))
    assert not differ(read(b), read(a))
