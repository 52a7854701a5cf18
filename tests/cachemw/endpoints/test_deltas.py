"""Deltas merge as the official clients merge them, and unknown fields by their type."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachemw.endpoints.deltas import merge_delta


def merged(*deltas: dict[str, Any]) -> dict[str, Any]:
    into: dict[str, Any] = {}
    for delta in deltas:
        merge_delta(into, copy.deepcopy(delta))
    return into


@pytest.mark.parametrize(
    ("deltas", "expected"),
    [
        ([{"content": "a"}, {"content": "b"}], {"content": "ab"}),
        ([{"content": None}, {"content": "b"}], {"content": "b"}),
        ([{"content": "a"}, {"content": None}], {"content": "a"}),
        ([{"role": "assistant"}, {"role": "assistant"}], {"role": "assistant"}),
        ([{"role": "assistant"}, {"role": ""}], {"role": "assistant"}),
        ([{"thinking": "a"}, {"thinking": "b"}], {"thinking": "ab"}),
        ([{"x": {"text": "a"}}, {"x": {"text": "b"}}], {"x": {"text": "ab"}}),
        ([{"x": 1}, {"x": 2}], {"x": 2}),
        ([{"x": ["a"]}, {"x": ["b"]}], {"x": ["a", "b"]}),
        ([{"x": [{"a": 1}]}, {"x": [{"a": 1}]}], {"x": [{"a": 1}, {"a": 1}]}),
        ([{"content": "a"}, {"content": [1]}], {"content": [1]}),
    ],
)
def test_by_type(deltas: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    assert merged(*deltas) == expected


def test_fragments_of_tool_calls_meet_by_their_index() -> None:
    def fragment(index: int, arguments: str, **head: str) -> dict[str, Any]:
        function = {"arguments": arguments}
        return {"tool_calls": [{"index": index, **head, "function": function}]}

    calls = merged(
        fragment(0, "", id="a", type="function"),
        fragment(1, "[", id="b", type="function"),
        fragment(0, "{"),
        fragment(1, "]", id="b"),  # some servers name it in every fragment
        fragment(0, "}"),
    )["tool_calls"]

    assert [(call["id"], call["function"]["arguments"]) for call in calls] == [
        ("a", "{}"),
        ("b", "[]"),
    ]


@given(st.text(), st.lists(st.integers(0, 20), max_size=5))
def test_a_text_cut_anywhere_is_whole_again(text: str, cuts: list[int]) -> None:
    borders = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    parts = [text[a:b] for a, b in pairwise(borders)]

    assert merged(*({"content": part} for part in parts)) == {"content": text}


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_one_delta_is_itself(value: Any) -> None:
    assert merged({"x": value}) == {"x": value}


def test_what_was_merged_is_not_shared_with_the_delta() -> None:
    delta = {"x": {"list": [{"index": 0, "text": "a"}]}}
    into: dict[str, Any] = {}

    merge_delta(into, delta)
    merge_delta(into, {"x": {"list": [{"index": 0, "text": "b"}]}})

    assert delta == {"x": {"list": [{"index": 0, "text": "a"}]}}
