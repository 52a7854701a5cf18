"""A body is a JSON object, or the client is told why not - without its own words."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachemw.errors import BadRequest
from cachemw.parse import parse_object


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.text() | st.integers(0, 99)))
def test_an_object_is_read(value: dict[str, object]) -> None:
    assert parse_object(orjson.dumps(value)) == value


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"[]", "an array"),
        (b'"x"', "a string"),
        (b"true", "a boolean"),
        (b"null", "null"),
        (b"1", "a number"),
        (b"1.5", "a number"),
    ],
)
def test_anything_else_is_named(body: bytes, kind: str) -> None:
    with pytest.raises(BadRequest, match=f"not {kind}"):
        parse_object(body)


def test_an_empty_body() -> None:
    with pytest.raises(BadRequest, match="empty"):
        parse_object(b"")


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": secret}',
        b'{"secret": "\xff"}',
        b'{"secret": "\\ud800"}',
        b'{"secret": NaN}',
        b'\xef\xbb\xbf{"secret": 1}',
        b'{"secret": ' * 2000,
    ],
)
def test_broken_json_is_located_and_not_repeated(body: bytes) -> None:
    with pytest.raises(BadRequest, match=r"not valid JSON: .*line \d+, column \d+") as caught:
        parse_object(body)
    assert "secret" not in caught.value.message
    assert caught.value.__suppress_context__


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        assert isinstance(parse_object(body), dict)
    except BadRequest as error:
        assert error.status == 400  # noqa: PT017
