"""Evidence as bytes: what was written comes back, and nothing else is taken for it."""

from __future__ import annotations

import struct
import zlib

import orjson
import pytest
from cachemw_policies.labels import Label, Source
from hypothesis import given
from hypothesis import strategies as st

from cachemw.stores.evidence import Served
from cachemw.stores.evidence_rows import (
    CorruptEvidence,
    OtherVersion,
    decode_label,
    decode_labels,
    decode_served,
    encode_label,
    encode_served,
    served_key,
)

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCORES = st.floats(0, 1)
TIMES = st.floats(allow_nan=False, allow_infinity=False)
LABELS = st.builds(
    Label, NAMES, SCORES, st.booleans(), st.sampled_from(Source), NAMES, TIMES, SCORES
)
HITS = st.builds(Served, NAMES, st.binary(max_size=40), NAMES, NAMES, SCORES, NAMES, TIMES)

LABEL = Label("faq", 0.75, True, Source.SHADOW, "verifier-1", 1.5)
HIT = Served("chatcmpl-1", b"\x01" * 32, "tenant", "faq", 0.9, "verifier-1", 2.5)


def sealed(fields: object, version: int = 1) -> bytes:
    body = orjson.dumps(fields)
    return struct.pack("<BI", version, zlib.crc32(body)) + body


@given(LABELS)
def test_a_label_comes_back(label: Label) -> None:
    assert decode_label(encode_label(label)) == label


@given(HITS)
def test_a_hit_comes_back(hit: Served) -> None:
    assert decode_served(encode_served(hit)) == hit


@given(st.data())
def test_damage_is_noticed(data: st.DataObject) -> None:
    for row, decode in ((encode_label(LABEL), decode_label), (encode_served(HIT), decode_served)):
        at = data.draw(st.integers(0, len(row) - 1))
        changed = bytearray(row)
        changed[at] ^= data.draw(st.integers(1, 255))
        with pytest.raises((CorruptEvidence, OtherVersion)):
            decode(bytes(changed))
        with pytest.raises(CorruptEvidence):
            decode(row[: at + 1] if at + 1 < len(row) else b"")


@pytest.mark.parametrize(
    "row", [None, 7, "text", b"", b"\x01", b"\x01\x00\x00\x00\x00", sealed({})]
)
def test_what_is_no_row(row: object) -> None:
    for decode in (decode_label, decode_served):
        with pytest.raises(CorruptEvidence):
            decode(row)


NO_SCORES: list[object] = [-0.1, 1.1, None, True, "0.5", [], 1e300]
NO_LABELS: list[tuple[int, object]] = [
    (0, None),
    (1, "nobody"),
    (1, 1),
    (2, 5),
    (4, 1),
    (4, None),
    (5, None),
    (5, "1"),
    (5, True),
    *((field, value) for field in (3, 6) for value in NO_SCORES),
]


@pytest.mark.parametrize(("field", "value"), NO_LABELS)
def test_a_label_that_nobody_wrote(field: int, value: object) -> None:
    fields: list[object] = ["faq", "shadow", "verifier-1", 0.75, True, 1.5, 1.0]
    assert decode_label(sealed(fields)) == LABEL
    fields[field] = value
    with pytest.raises(CorruptEvidence):
        decode_label(sealed(fields))


@pytest.mark.parametrize(
    ("field", "value"), [(0, 1), (1, "xx"), (1, None), (2, None), (5, 2), (5, False), (6, None)]
)
def test_a_hit_that_nobody_served(field: int, value: object) -> None:
    fields: list[object] = ["chatcmpl-1", "01" * 32, "tenant", "faq", "verifier-1", 0.9, 2.5]
    assert decode_served(sealed(fields)) == HIT
    fields[field] = value
    with pytest.raises(CorruptEvidence):
        decode_served(sealed(fields))


def test_a_score_that_is_no_number_is_never_read() -> None:
    for score in (float("nan"), float("inf"), -float("inf")):
        wrong = Label("faq", score, True, Source.SHADOW, "verifier-1", 1.5)
        with pytest.raises(CorruptEvidence):
            decode_label(encode_label(wrong))
        heavy = Label("faq", 0.5, True, Source.MISS, "verifier-1", 1.5, weight=score)
        with pytest.raises(CorruptEvidence):
            decode_label(encode_label(heavy))


def test_damaged_rows_are_counted_and_those_of_others_left() -> None:
    good = encode_label(LABEL)
    rows = [good, b"", sealed([], version=2), good, None, good[:-1]]
    assert decode_labels(rows) == ((LABEL, LABEL), 3)


@given(NAMES, NAMES, NAMES, NAMES)
def test_keys_do_not_meet(id_1: str, tenant_1: str, id_2: str, tenant_2: str) -> None:
    same = (id_1, tenant_1) == (id_2, tenant_2)
    assert (served_key(id_1, tenant_1) == served_key(id_2, tenant_2)) is same


def test_keys_do_not_meet_by_joining() -> None:
    assert len({served_key(*pair) for pair in [("a", "bc"), ("ab", "c"), ("bc", "a")]}) == 3
