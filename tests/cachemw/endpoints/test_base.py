"""What all endpoints share."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachemw.endpoints.base import pieces, require_list, sse, wants_stream, wants_usage
from cachemw.endpoints.table import endpoints
from cachemw.errors import BadRequest
from tests.support import sse as strict


@given(st.text("ab \n", max_size=100) | st.text(max_size=40), st.integers(1, 50))
def test_pieces_join_and_are_bounded(text: str, size: int) -> None:
    cut = list(pieces(text, size))

    assert "".join(cut) == text
    assert all(0 < len(piece) < 2 * size or len(piece) == 1 for piece in cut)
    assert all(len(piece) >= size for piece in cut[:-1])


def test_pieces_end_at_spaces_where_there_are_any() -> None:
    assert list(pieces("the quick brown fox", 6)) == ["the quick", " brown", " fox"]


@given(st.dictionaries(st.text(), st.text()), st.sampled_from([None, "response.created"]))
def test_an_event_can_be_read_back(data: dict[str, str], name: str | None) -> None:
    assert strict.parse(sse(data, name)) == [strict.Event(name, data)]


@pytest.mark.parametrize(
    ("params", "expected"),
    [({}, False), ({"stream": None}, False), ({"stream": False}, False), ({"stream": True}, True)],
)
def test_wants_stream(params: dict[str, Any], *, expected: bool) -> None:
    assert wants_stream(params) is expected


@pytest.mark.parametrize("value", [1, 0, "true", [], {}])
def test_a_stream_is_wanted_or_not(value: Any) -> None:
    with pytest.raises(BadRequest, match="'stream'") as caught:
        wants_stream({"stream": value})
    assert caught.value.param == "stream"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (None, False),
        ({}, False),
        ({"include_usage": False}, False),
        ({"include_usage": 1}, False),
        ({"include_usage": True}, True),
    ],
)
def test_wants_usage(options: Any, *, expected: bool) -> None:
    assert wants_usage({"stream_options": options}) is expected


@pytest.mark.parametrize("options", [True, "include_usage", []])
def test_stream_options_are_an_object(options: Any) -> None:
    with pytest.raises(BadRequest, match="'stream_options'"):
        wants_usage({"stream_options": options})


def test_require_list() -> None:
    assert require_list({"a": [1]}, "a") == [1]


@pytest.mark.parametrize("params", [{}, {"a": []}, {"a": "x"}, {"a": None}])
def test_a_list_that_is_not_there(params: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="'a'"):
        require_list(params, "a")


def test_an_answer_is_packed_as_json_without_what_is_renewed() -> None:
    for endpoint in endpoints().values():
        packed = orjson.loads(endpoint.pack({"id": "x", "created": 1, "store": False, "a": 1}))

        assert "id" not in packed
        assert packed["a"] == 1
