"""Collecting chunks with choices: logprobs continue, texts grow, nothing is taken for an answer."""

from __future__ import annotations

from typing import Any

import pytest

from cachemw.endpoints.choices import ChoicesCollector, choices_verdict


def chunk(index: int = 0, **choice: Any) -> dict[str, Any]:
    return {"model": "m", "choices": [{"index": index, **choice}]}


def collected(*chunks: dict[str, Any], expected: Any = None) -> dict[str, Any] | None:
    collector = ChoicesCollector("text_completion", expected)
    for one in chunks:
        collector.feed(None, one)
    return collector.answer()


def test_texts_grow_by_index_and_come_in_its_order() -> None:
    answer = collected(
        chunk(1, text="b"),
        chunk(0, text="a"),
        chunk(1, text="B", finish_reason="stop"),
        chunk(0, text=None),
        chunk(0, text="A", finish_reason="length"),
        expected=2,
    )

    assert answer == {
        "model": "m",
        "object": "text_completion",
        "choices": [
            {"index": 0, "text": "aA", "finish_reason": "length"},
            {"index": 1, "text": "bB", "finish_reason": "stop"},
        ],
    }


def test_every_list_of_the_logprobs_continues() -> None:
    answer = collected(
        chunk(text="a", logprobs={"tokens": ["a"], "top_logprobs": None, "text_offset": [0]}),
        chunk(text="b", logprobs={"tokens": ["b"], "top_logprobs": [{}], "text_offset": [1]}),
        chunk(text="", logprobs=None, finish_reason="stop"),
    )

    assert answer is not None
    assert answer["choices"][0]["logprobs"] == {
        "tokens": ["a", "b"],
        "top_logprobs": [{}],
        "text_offset": [0, 1],
    }


def test_usage_is_that_of_the_last_chunk_that_has_one() -> None:
    end = chunk(text="a", finish_reason="stop")
    answer = collected({**end, "usage": {"total_tokens": 1}}, {"usage": {"total_tokens": 2}}, {})

    assert answer is not None
    assert answer["usage"] == {"total_tokens": 2}


@pytest.mark.parametrize("expected", [None, 1, "many", 0])
def test_one_choice_is_expected_where_n_is_no_number(expected: Any) -> None:
    assert collected(chunk(text="a", finish_reason="stop"), expected=expected) is not None
    assert collected(expected=expected) is None


def test_a_choice_that_began_and_did_not_end() -> None:
    assert collected(chunk(0, text="a", finish_reason="stop"), chunk(1, text="b")) is None


@pytest.mark.parametrize(
    ("choice", "complete"),
    [
        ({"text": "a", "finish_reason": "stop"}, True),
        ({"text": "", "finish_reason": "stop"}, True),
        ({"text": None, "finish_reason": "stop"}, False),
        ({"finish_reason": "stop"}, False),
        ({"text": "a", "finish_reason": None}, False),
        ({"text": "a", "finish_reason": 1}, False),
        ({"text": "a"}, False),
    ],
)
def test_complete_is_a_text_and_its_reason_to_end(
    choice: dict[str, Any], *, complete: bool
) -> None:
    assert choices_verdict({"choices": [choice]}, holds=("text", str)).complete is complete
