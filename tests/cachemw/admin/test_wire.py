"""The JSON forms: what is exported comes back the same, and nothing else comes in."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachemw.admin.wire import BadEntry, LineReader, entry_json, export_line
from cachemw.endpoints.table import endpoints
from cachemw.stores.base import Document, Embedded
from tests.cachemw.admin.conftest import MAX_BODY, document, embedded
from tests.support.service import plain_of

READER = LineReader({each.name: each for each in endpoints().values()}, MAX_BODY)
PACK = endpoints()["/v1/chat/completions"].pack
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NAME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
TIME = st.floats(0, 1e10)


@st.composite
def _embedded(draw: st.DrawFn) -> Embedded:
    numbers = draw(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=9))
    vector = np.array([*numbers, 1.0], dtype=np.float32)
    vector /= np.linalg.norm(vector)
    return Embedded(draw(st.binary(min_size=32, max_size=32)), draw(NAME), vector)


DOCUMENTS = st.builds(
    Document,
    key=st.binary(min_size=32, max_size=32),
    tenant=NAME,
    endpoint=st.just("chat.completions"),
    model=TEXT,
    created_at=TIME,
    expires_at=TIME,
    prompt=TEXT,
    body=TEXT.map(lambda text: PACK(plain_of(text))),
    upstream_seconds=TIME,
    prompt_tokens=st.integers(0, 2**32 - 1),
    completion_tokens=st.integers(0, 2**32 - 1),
    tags=st.lists(NAME, max_size=3).map(tuple),
    category=NAME,
    embedded=st.none() | _embedded(),
)


@given(DOCUMENTS)
def test_an_exported_line_is_one_line_and_gives_the_same_document(stored: Document) -> None:
    line = export_line(stored)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    read = READER.imported(line)
    assert read == stored
    if stored.embedded is not None and read.embedded is not None:
        assert read.embedded.vector.dtype == np.float32
        assert read.embedded.vector.tobytes() == stored.embedded.vector.tobytes()


def test_a_shown_entry_has_its_answer_as_json() -> None:
    shown = orjson.loads(entry_json(document(1)))
    assert shown["answer"]["choices"][0]["message"]["content"] == "Answer 1"
    assert shown["fingerprint"] is None


def _vector(*numbers: float) -> str:
    return base64.b64encode(np.array(numbers, dtype="<f4").tobytes()).decode()


def _place(**changed: Any) -> dict[str, Any]:
    place: dict[str, Any] = orjson.loads(export_line(document(1, embedded=embedded())))["embedded"]
    return place | changed


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"id": "ab" * 31}, "id"),
        ({"id": "AB" * 32}, "id"),
        ({"id": "zz" * 32}, "id"),
        ({"id": None}, "id"),
        ({"unknown": 1}, "unknown"),
        ({"tenant": ""}, "tenant"),
        ({"tags": "a"}, "tags"),
        ({"tags": ["a"] * 17}, "tags"),
        ({"tags": ["a", 1]}, "tags.1"),
        ({"created_at": "1"}, "created_at"),
        ({"created_at": -1}, "created_at"),
        ({"expires_at": 1e300}, "expires_at"),
        ({"prompt_tokens": -1}, "prompt_tokens"),
        ({"prompt_tokens": 2**32}, "prompt_tokens"),
        ({"prompt_tokens": True}, "prompt_tokens"),
        ({"endpoint": "chat"}, "endpoint"),
        ({"body": "{}"}, "body"),
        ({"body": "[]"}, "body"),
        ({"body": "nothing"}, "body"),
        ({"body": '{"choices":1}'}, "body"),
        ({"body": " " + PACK(plain_of("x")).decode()}, "body"),
        ({"body": orjson.dumps(plain_of("x")).decode()}, "body"),  # with an id of its own
        ({"body": PACK(plain_of("x" * MAX_BODY)).decode()}, "body"),
        ({"embedded": {}}, "embedded.partition"),
        ({"embedded": _place(partition="ab")}, "embedded.partition"),
        ({"embedded": _place(vector="?")}, "embedded.vector"),
        ({"embedded": _place(vector="")}, "embedded.vector"),
        ({"embedded": _place(vector="AAAA")}, "embedded.vector"),
        ({"embedded": _place(vector=_vector(1.0, 1.0))}, "embedded.vector"),
        ({"embedded": _place(vector=_vector(float("nan"), 1.0))}, "embedded.vector"),
        ({"embedded": _place(vector=_vector(*[0.01] * 10_000))}, "embedded.vector"),
    ],
)
def test_what_could_not_be_served_is_refused_by_its_field(
    changed: dict[str, Any], field: str
) -> None:
    line = orjson.loads(export_line(document(1))) | changed
    with pytest.raises(BadEntry) as caught:
        READER.imported(orjson.dumps(line))
    assert caught.value.field == field
    assert "Question" not in caught.value.message


@pytest.mark.parametrize("line", [b"", b"nothing", b"[]", b"\xff", b'{"id":', b"[" * 5000])
def test_what_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(BadEntry):
        READER.imported(line)


@given(st.binary(max_size=60), st.integers(0, 2000), st.integers(0, 5))
def test_damage_is_refused_or_harmless(noise: bytes, at: int, cut: int) -> None:
    whole = export_line(document(1, embedded=embedded()))
    at %= len(whole)
    damaged = whole[:at] + noise + whole[at + cut :]
    try:
        read = READER.imported(damaged)
    except BadEntry:
        return
    assert len(read.key) == 32
    assert PACK(orjson.loads(read.body)) == read.body
