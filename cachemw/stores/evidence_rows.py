"""Labels and served hits as bytes: a version, a checksum, and a JSON array of the fields.

What is read is checked as if anyone had written it: a score that is no number in [0, 1] would bend
a threshold.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import orjson
from cachemw_policies.labels import Label, Source

from cachemw.stores.evidence import Served

_VERSION = 1
#: Version, checksum of the body; the body follows.
_SEAL = struct.Struct("<BI")


class CorruptEvidence(Exception):
    """Not what was written."""


class OtherVersion(Exception):
    """Written by another version of cachemw, which may be using the same store."""


def encode_label(label: Label) -> bytes:
    """Return a label as bytes."""
    names = (label.category, label.source.value, label.scale)
    return _sealed([*names, label.score, label.right, label.at, label.weight])


def decode_label(data: object) -> Label:
    """Return the label in `data`; raises `CorruptEvidence` and `OtherVersion`."""
    match _opened(data):
        case [str(category), str(source), str(scale), score, bool(right), at, weight]:
            return Label(
                category,
                _score(score),
                right,
                _source(source),
                scale,
                _number(at),
                _score(weight),
            )
    raise CorruptEvidence


def decode_labels(rows: Iterable[object]) -> tuple[tuple[Label, ...], int]:
    """Return the labels that can be read, and how many rows are damaged."""
    found: list[Label] = []
    damaged = 0
    for row in rows:
        try:
            found.append(decode_label(row))
        except CorruptEvidence:
            damaged += 1
        except OtherVersion:
            continue
    return tuple(found), damaged


def encode_served(hit: Served) -> bytes:
    """Return a served hit as bytes."""
    names = (hit.answer_id, hit.entry.hex(), hit.tenant, hit.category, hit.scale)
    return _sealed([*names, hit.score, hit.at])


def decode_served(data: object) -> Served:
    """Return the hit in `data`; raises `CorruptEvidence` and `OtherVersion`."""
    match _opened(data):
        case [str(answer_id), str(entry), str(tenant), str(category), str(scale), score, at]:
            key = _key(entry)
            return Served(answer_id, key, tenant, category, _score(score), scale, _number(at))
    raise CorruptEvidence


def served_key(answer_id: str, tenant: str) -> bytes:
    """Return the 16 bytes under which a hit is kept: nobody reaches another tenant's."""
    text = orjson.dumps([tenant, answer_id])
    return blake2b(text, digest_size=16, person=b"cachemw served").digest()


def _sealed(fields: list[Any]) -> bytes:
    body = orjson.dumps(fields)
    return _SEAL.pack(_VERSION, zlib.crc32(body)) + body


def _opened(data: object) -> object:
    if not isinstance(data, bytes) or len(data) < _SEAL.size:
        raise CorruptEvidence
    version, checksum = _SEAL.unpack_from(data)
    body = data[_SEAL.size :]
    if version != _VERSION:
        raise OtherVersion
    if checksum != zlib.crc32(body):
        raise CorruptEvidence
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise CorruptEvidence from None


def _score(value: object) -> float:
    number = _number(value)
    if not 0 <= number <= 1:
        raise CorruptEvidence
    return number


def _source(text: str) -> Source:
    try:
        return Source(text)
    except ValueError:
        raise CorruptEvidence from None


def _number(value: object) -> float:
    # JSON has no NaN: orjson writes null for it.
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise CorruptEvidence
    return float(value)


def _key(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise CorruptEvidence from None
