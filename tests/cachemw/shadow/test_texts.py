"""What answers of each endpoint say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachemw.shadow.texts import Said, said
from tests.support.service import plain_of


def _chat(**message: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", **message}, "finish_reason": "stop"}]}


def _response(*output: Any) -> dict[str, Any]:
    return {"status": "completed", "output": list(output)}


def _message(*parts: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": list(parts)}


@pytest.mark.parametrize(
    ("endpoint", "answer", "expected"),
    [
        ("chat.completions", plain_of(" Paris. "), Said("Paris.")),
        ("chat.completions", _chat(content=None, refusal="I won't."), Said("I won't.", True)),
        ("chat.completions", _chat(content="<think>hm\nso</think>\n\n4"), Said("4")),
        ("chat.completions", _chat(content="", refusal=None), None),
        ("chat.completions", _chat(content="a", tool_calls=[{"id": "1"}]), None),
        ("chat.completions", {"choices": _chat(content="a")["choices"] * 2}, None),
        ("completions", {"choices": [{"text": "on and on"}]}, Said("on and on")),
        (
            "responses",
            _response(
                {"type": "reasoning", "summary": []},
                _message({"type": "output_text", "text": "one"}),
                _message({"type": "output_text", "text": "two"}),
            ),
            Said("one\ntwo"),
        ),
        (
            "responses",
            _response(_message({"type": "refusal", "refusal": "no"})),
            Said("no", True),
        ),
        ("responses", _response({"type": "function_call", "arguments": "{}"}), None),
        ("embeddings", {"data": [{"embedding": [1.0]}]}, None),
    ],
)
def test_said(endpoint: str, answer: dict[str, Any], expected: Said | None) -> None:
    assert said(endpoint, answer) == expected


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "output", "type", "text"]), inner
        )
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(["chat.completions", "completions", "responses"]),
    st.dictionaries(st.sampled_from(["choices", "output"]), _JSON),
)
def test_no_shape_is_a_fault(endpoint: str, answer: dict[str, Any]) -> None:
    found = said(endpoint, answer)
    assert found is None or found.text
