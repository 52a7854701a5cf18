"""Fields of a document: what goes in comes out, and damage is noticed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachemw.stores.base import Document, Embedded, EntryInfo
from cachemw.stores.codec import (
    CorruptDocument,
    DocumentCodec,
    OtherFormat,
    UnstorableDocument,
    shipped_dictionary,
)
from cachemw.stores.redis_rows import decode, decode_info, decode_row, encode

CODEC = DocumentCodec(shipped_dictionary(), level=1, max_bytes=1 << 20)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TIMES = st.floats(allow_nan=False, allow_infinity=False)
VECTORS = st.lists(st.floats(-1, 1, width=32), max_size=16).map(
    lambda values: np.array(values, dtype=np.float32)
)
EMBEDDED = st.builds(Embedded, partition=st.binary(max_size=40), fingerprint=TEXT, vector=VECTORS)
DOCUMENTS = st.builds(
    Document,
    key=st.binary(min_size=1, max_size=40),
    tenant=TEXT,
    endpoint=TEXT,
    model=TEXT,
    created_at=TIMES,
    expires_at=TIMES,
    prompt=TEXT,
    body=st.binary(max_size=200),
    upstream_seconds=TIMES,
    prompt_tokens=st.integers(0, 2**32 - 1),
    completion_tokens=st.integers(0, 2**32 - 1),
    tags=st.lists(TEXT, max_size=3).map(tuple),
    category=TEXT,
    embedded=st.none() | EMBEDDED,
)


@given(DOCUMENTS)
def test_what_goes_in_comes_out(document: Document) -> None:
    fields = encode(CODEC, document)
    assert decode(CODEC, document.key, fields.document, fields.embedding) == document
    size = len(fields.document) + len(fields.embedding)
    assert decode_info(document.key, fields.info) == EntryInfo.of(document, size)
    if document.embedded is not None:
        row = decode_row(document.key, fields.embedding)
        assert (row.key, row.expires_at) == (document.key, document.expires_at)
        assert row.embedded == document.embedded
        assert row.embedded.vector.dtype == np.float32


@given(DOCUMENTS.filter(lambda document: document.embedded is not None), st.data())
def test_damage_and_other_keys_are_noticed(document: Document, data: st.DataObject) -> None:
    fields = encode(CODEC, document)
    other_key = data.draw(st.binary(min_size=1, max_size=40).filter(lambda k: k != document.key))
    for field, read in ((fields.info, decode_info), (fields.embedding, decode_row)):
        with pytest.raises(CorruptDocument):
            read(other_key, field)
        place = data.draw(st.integers(0, len(field) - 1))
        bit = 1 << data.draw(st.integers(0, 7))
        damaged = field[:place] + bytes([field[place] ^ bit]) + field[place + 1 :]
        with pytest.raises(CorruptDocument):
            read(document.key, damaged)
        with pytest.raises(CorruptDocument):
            read(document.key, field[:place])


def test_another_version_is_told_from_damage(make_document: Callable[..., Document]) -> None:
    document = make_document(1)
    fields = encode(CODEC, document)
    with pytest.raises(OtherFormat):
        decode_info(document.key, b"\x02" + fields.info[1:])
    with pytest.raises(OtherFormat):
        decode_row(document.key, b"\x02")


@pytest.mark.parametrize("read", [decode_info, decode_row])
def test_a_seal_over_something_else_is_damage(read: Callable[[bytes, bytes], object]) -> None:
    other = encode(CODEC, DOCUMENTS_WITH["info"]).info
    field = other if read is decode_row else encode(CODEC, DOCUMENTS_WITH["row"]).embedding
    with pytest.raises(CorruptDocument):
        read(b"key", field)


def test_no_end_is_infinity(make_document: Callable[..., Document]) -> None:
    document = make_document(1, expires_at=math.inf)
    assert decode_info(document.key, encode(CODEC, document).info).expires_at == math.inf


def test_what_the_codec_refuses_is_refused(make_document: Callable[..., Document]) -> None:
    with pytest.raises(UnstorableDocument):
        encode(CODEC, make_document(1, body=bytes(2 << 20)))
    with pytest.raises(UnstorableDocument):
        encode(CODEC, make_document(1, tenant="\ud800"))


_PLAIN = Document(
    key=b"key",
    tenant="t",
    endpoint="e",
    model="m",
    created_at=0.0,
    expires_at=1.0,
    prompt="",
    body=b"",
    upstream_seconds=0.0,
    prompt_tokens=0,
    completion_tokens=0,
)
DOCUMENTS_WITH = {
    "info": _PLAIN,
    "row": replace(_PLAIN, embedded=Embedded(b"p", "f", np.ones(4, dtype=np.float32))),
}
