from __future__ import annotations

import pytest
from cachemw_policies.policy_file import parse_policy

from loadtests.categories.data import Question
from loadtests.categories.shipped import (
    CLASSIFIER,
    Sorted,
    accuracy_table,
    category_table,
    confusion,
    right,
)

POLICIES = parse_policy("categories: {code: {delta: 0.02}, legal: {delta: 0.01}}")
ASKED = [
    Question("a", "code", "S"),
    Question("b", "code", "S"),
    Question("c", "legal", "S"),
    Question("d", "legal", "T"),
]


@pytest.fixture
def done() -> Sorted:
    given = {CLASSIFIER: ["code", "default", "code", "legal"], "rival": ["legal"] * 4}
    return Sorted(ASKED, given)


def test_questions_of_a_source_and_of_a_category(done: Sorted) -> None:
    assert [q.text for q, _ in done.of("S", by=CLASSIFIER)] == ["a", "b", "c"]
    assert [name for _, name in done.of("legal", by="rival")] == ["legal", "legal"]


def test_what_is_right(done: Sorted) -> None:
    share = right(done.of("S", by=CLASSIFIER))
    assert (share.part, share.whole) == (1, 3)


def test_accuracy_by_source(done: Sorted) -> None:
    rows = accuracy_table(done, "", "").rows
    assert [row[0] for row in rows] == ["S", "T", "mean of sources"]
    assert rows[0][1:] == ("3", "33.3% (6.1%–79.2%)", "33.3%", "33.3%")
    assert rows[2][2:] == ("66.7%", "", "66.7%")


def test_what_a_wrong_name_costs(done: Sorted) -> None:
    code, legal = category_table(done, POLICIES).rows
    # code -> default: delta 0.03 is looser than 0.02; legal -> code: 0.02 than 0.01.
    assert code[0] == "code"
    assert code[3] == "50.0%"
    assert code[4].startswith("50.0% ")
    assert code[5] == "default 1"
    assert legal[4].startswith("50.0% ")
    assert legal[5] == "code 1"


def test_confusion_counts(done: Sorted) -> None:
    section = confusion(done, POLICIES)
    assert section.head == ("", "code", "legal", "default")
    assert section.rows == [("code", "1", "", "1"), ("legal", "1", "1", "")]
