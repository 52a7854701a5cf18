"""Times by any of their names."""

from __future__ import annotations

import pytest
from cachemw_policies.guards.dates import differ
from cachemw_policies.guards.reading import read

DIFFER = [
    ("Best phones of 2016?", "Best phones of 2017?"),
    ("Best phones of 2016?", "Best phones?"),
    ("What happens in June?", "What happens in July?"),
    ("What happens in May?", "What happens in June?"),
    ("Is Monday a holiday?", "Is Tuesday a holiday?"),
    ("What did he say yesterday?", "What did he say today?"),
    ("Will it rain tomorrow?", "Will it rain today?"),
    ("What was won this year?", "What was won last year?"),
    ("What was won this week?", "What was won next week?"),
    ("Music of the 1960s", "Music of the 1970s"),
    ("Music of the 60s", "Music of the 70s"),
    ("Music of the sixties", "Music of the seventies"),
    ("What happened on 5 May?", "What happened on 6 May?"),
    ("What happened on 2019-05-01?", "What happened on 2019-06-01?"),
    ("What happened on 05/06/2019?", "What happened on 05/07/2019?"),
    ("What happened in May 2019?", "What happened in May 2020?"),
]
AGREE = [
    ("What happened on 1 May 2019?", "What happened on 2019-05-01?"),
    ("What happened on May 1st, 2019?", "What happened on the 1st of May 2019?"),
    ("What happened on 05/06/2019?", "What happened on 6 May 2019?"),
    ("What happened on 5/6/19?", "What happened on 05/06/2019?"),
    ("What happens in Jan?", "What happens in Jan?"),
    ("What happened in january 2019?", "What happened in Jan 2019?"),
    ("Music of the 60s", "Music of the sixties"),
    ("Music of the 1960s", "Music of the 60's"),
    ("What may I eat?", "What can I eat?"),
    ("Why do soldiers march?", "Why do soldiers walk?"),
    ("What do people eat today?", "What do people eat?"),
    ("Is Monday a holiday?", "Are Mondays holidays?"),
    ("What was won in the last year?", "What was won in the past year?"),
    ("What can I buy for $2000?", "What can I buy for $2000?"),
]


@pytest.mark.parametrize(("a", "b"), DIFFER)
def test_objects(a: str, b: str) -> None:
    assert differ(read(a), read(b))
    assert differ(read(b), read(a))


@pytest.mark.parametrize(("a", "b"), AGREE)
def test_does_not_object(a: str, b: str) -> None:
    assert not differ(read(a), read(b))
    assert not differ(read(b), read(a))
