from __future__ import annotations

import pytest

from cachemw.categories.source import load_policy
from loadtests.categories.data import rows, shared
from loadtests.categories.mapping import (
    CLINC,
    CLINC_LEFT_OUT,
    MMLU_LEFT_OUT,
    clinc_category,
    mmlu_category,
)

needs_data = pytest.mark.skipif(not shared().exists(), reason="CACHEMW_SHARED_DATA is not there")


def test_labels_are_mapped_to_shipped_categories() -> None:
    assert set(CLINC.values()) <= set(load_policy(None).names)


def test_no_intent_is_both_mapped_and_left_out() -> None:
    assert not CLINC.keys() & CLINC_LEFT_OUT


def test_all_150_intents_are_accounted_for() -> None:
    assert len(CLINC) + len(CLINC_LEFT_OUT) == 150


@pytest.mark.parametrize(
    ("intent", "category"), [("weather", "volatile"), ("timer", "default"), ("cancel", None)]
)
def test_intents(intent: str, category: str | None) -> None:
    assert clinc_category(intent) == category


@pytest.mark.parametrize(
    ("subject", "category"),
    [("virology", "medical"), ("prehistory", "factual"), ("formal_logic", None)],
)
def test_subjects(subject: str, category: str | None) -> None:
    assert mmlu_category(subject) == category


@needs_data
def test_the_data_has_these_labels() -> None:
    intents = {row["intent"] for row in rows("semantic/clinc150-train")}
    assert intents == CLINC.keys() | CLINC_LEFT_OUT
    subjects = {row["subject"] for row in rows("routing/mmlu")}
    assert not MMLU_LEFT_OUT - subjects
    named = {mmlu_category(subject) for subject in subjects}
    assert named == {"legal", "medical", "math", "code", "factual", None}
