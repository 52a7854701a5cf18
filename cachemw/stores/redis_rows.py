"""The fields of a document in Redis.

    d   the document, as the codec makes it
    m   what is known of it: a JSON array of tenant, endpoint, model, category, tags, created_at,
        expires_at and size
    e   `_EMBEDDING_HEAD`, fingerprint, partition, vector; empty where it has no embedding

`m` and `e` are read without `d`, so each begins with a seal: its version, and a checksum of the
document's key and of what follows.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass

import numpy as np
import orjson

from cachemw.stores.base import Document, Embedded, EntryInfo, IndexRow
from cachemw.stores.codec import CorruptDocument, DocumentCodec, OtherFormat

_VERSION = 1
#: Version, checksum of key and body; the body follows.
_SEAL = struct.Struct("<BI")
#: expires_at, length of fingerprint, length of partition.
_EMBEDDING_HEAD = struct.Struct("<dHH")


@dataclass(frozen=True, slots=True)
class Fields:
    """A document as Redis keeps it."""

    document: bytes
    info: bytes
    embedding: bytes


def encode(codec: DocumentCodec, document: Document) -> Fields:
    """Return the fields of `document`; raises `UnstorableDocument`."""
    data = codec.encode(document).data
    embedding = b"" if document.embedded is None else _pack_embedding(document, document.embedded)
    info = EntryInfo.of(document, len(data) + len(embedding))
    return Fields(data, _pack_info(info), embedding)


def decode(codec: DocumentCodec, key: bytes, data: bytes, embedding: bytes) -> Document:
    """Return the document; raises `CorruptDocument` and `OtherFormat`."""
    row = decode_row(key, embedding) if embedding else None
    return codec.decode(key, data, None if row is None else row.embedded)


def decode_row(key: bytes, data: bytes) -> IndexRow:
    """Return the index row of a document; raises `CorruptDocument` and `OtherFormat`."""
    body = _checked(key, data)
    try:
        expires_at, name_bytes, partition_bytes = _EMBEDDING_HEAD.unpack_from(body)
        name_end = _EMBEDDING_HEAD.size + name_bytes
        vector_start = name_end + partition_bytes
        fingerprint = body[_EMBEDDING_HEAD.size : name_end].decode()
        values = np.frombuffer(body, "<f4", offset=vector_start)
    except (struct.error, ValueError):
        # Not chained: its message can quote what was stored.
        msg = "the embedding is not what was written"
        raise CorruptDocument(msg) from None
    vector = values.astype(np.float32, copy=False)
    return IndexRow(key, expires_at, Embedded(body[name_end:vector_start], fingerprint, vector))


def decode_info(key: bytes, data: bytes) -> EntryInfo:
    """Return what is known of a document; raises `CorruptDocument` and `OtherFormat`."""
    body = _checked(key, data)
    try:
        tenant, endpoint, model, category, tags, created_at, expires_at, size = orjson.loads(body)
    except ValueError:
        msg = "the information is not what was written"
        raise CorruptDocument(msg) from None
    # JSON has no infinity: a document that never ends has null there.
    ends = math.inf if expires_at is None else expires_at
    return EntryInfo(key, tenant, endpoint, model, category, tuple(tags), created_at, ends, size)


def _pack_info(info: EntryInfo) -> bytes:
    names = [info.tenant, info.endpoint, info.model, info.category, info.tags]
    return _sealed(info.key, orjson.dumps([*names, info.created_at, info.expires_at, info.size]))


def _pack_embedding(document: Document, embedded: Embedded) -> bytes:
    fingerprint = embedded.fingerprint.encode()
    head = _EMBEDDING_HEAD.pack(document.expires_at, len(fingerprint), len(embedded.partition))
    vector = embedded.vector.astype("<f4").tobytes()
    return _sealed(document.key, b"".join((head, fingerprint, embedded.partition, vector)))


def _sealed(key: bytes, body: bytes) -> bytes:
    return _SEAL.pack(_VERSION, zlib.crc32(body, zlib.crc32(key))) + body


def _checked(key: bytes, data: bytes) -> bytes:
    """Return the body of a sealed field."""
    if not data or data[0] != _VERSION:
        msg = f"field of version {data[0] if data else 'none'}, this cachemw reads {_VERSION}"
        raise OtherFormat(msg)
    body = data[_SEAL.size :]
    if len(data) < _SEAL.size or _SEAL.unpack_from(data)[1] != zlib.crc32(body, zlib.crc32(key)):
        msg = "checksum mismatch: damaged, or stored under another key"
        raise CorruptDocument(msg)
    return body
