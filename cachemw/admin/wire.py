"""The JSON forms of entries: one line each in lists and exports, one object for a whole entry.

An exported line holds everything a document is, so that importing it gives the same document byte
for byte: `body` is the stored form of the answer as a text, the vector is base64 of little-endian
float32. A line that would not give a servable document is refused with the field at fault.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cachemw.endpoints.base import Endpoint
from cachemw.replay import can_replay
from cachemw.stores.base import Document, Embedded, EntryInfo, Vector

_FLOAT = np.dtype("<f4")
_UNIT_WITHIN = 0.01
_MAX_DIMENSION = 8192
_MAX_TAGS = 16

Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=1024)]
Count = Annotated[int, Field(ge=0, lt=2**32)]
Seconds = Annotated[float, Field(ge=0, lt=1e11)]


class BadEntry(ValueError):
    """An imported line cannot become a document; `field` is the one at fault, empty for all."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class EmbeddedLine(_Strict):
    """Where the entry stands in the index: partition (hex), embedder, vector (base64)."""

    partition: Hex32
    fingerprint: Name
    vector: str


class EntryLine(_Strict):
    """A whole entry as it is exported. Times are Unix seconds, durations seconds."""

    id: Hex32
    tenant: Name
    endpoint: Name
    model: Annotated[str, Field(max_length=1024)]
    category: Name = "default"
    tags: Annotated[tuple[Name, ...], Field(max_length=_MAX_TAGS)] = ()
    created_at: Seconds
    expires_at: Seconds
    prompt: str
    body: str
    upstream_seconds: Seconds
    prompt_tokens: Count
    completion_tokens: Count
    embedded: EmbeddedLine | None = None


def info_line(info: EntryInfo) -> bytes:
    """Return what is known of an entry as a line of JSON."""
    known = {
        "id": info.key.hex(),
        "tenant": info.tenant,
        "endpoint": info.endpoint,
        "model": info.model,
        "category": info.category,
        "tags": info.tags,
        "created_at": info.created_at,
        "expires_at": info.expires_at,
        "size": info.size,
    }
    return orjson.dumps(known, option=orjson.OPT_APPEND_NEWLINE)


def entry_json(document: Document) -> bytes:
    """Return a whole entry for a reader: its answer as JSON, and no vector."""
    shown = _named(document) | {
        "answer": orjson.Fragment(document.body),
        "fingerprint": None if document.embedded is None else document.embedded.fingerprint,
    }
    return orjson.dumps(shown)


def export_line(document: Document) -> bytes:
    """Return a whole entry as a line that `imported` reads back."""
    line = _named(document) | {"body": document.body.decode(), "embedded": None}
    if (embedded := document.embedded) is not None:
        line["embedded"] = {
            "partition": embedded.partition.hex(),
            "fingerprint": embedded.fingerprint,
            "vector": base64.b64encode(embedded.vector.astype(_FLOAT).tobytes()).decode(),
        }
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _named(document: Document) -> dict[str, Any]:
    return {
        "id": document.key.hex(),
        "tenant": document.tenant,
        "endpoint": document.endpoint,
        "model": document.model,
        "category": document.category,
        "tags": document.tags,
        "created_at": document.created_at,
        "expires_at": document.expires_at,
        "prompt": document.prompt,
        "upstream_seconds": document.upstream_seconds,
        "prompt_tokens": document.prompt_tokens,
        "completion_tokens": document.completion_tokens,
    }


class LineReader:
    """Reads exported lines; `endpoints` by name, `max_body_bytes` of one answer."""

    def __init__(self, endpoints: Mapping[str, Endpoint], max_body_bytes: int) -> None:
        self._endpoints = endpoints
        self._max_body_bytes = max_body_bytes

    def imported(self, line: bytes) -> Document:
        """Return the document of a line. Raises BadEntry."""
        try:
            entry = EntryLine.model_validate_json(line)
        except ValidationError as error:
            # Without the value: it may be a prompt, and messages end up in logs.
            problem = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in problem["loc"])
            raise BadEntry(where, problem["msg"]) from None
        return Document(
            key=bytes.fromhex(entry.id),
            tenant=entry.tenant,
            endpoint=entry.endpoint,
            model=entry.model,
            created_at=entry.created_at,
            expires_at=entry.expires_at,
            prompt=entry.prompt,
            body=self._body(entry),
            upstream_seconds=entry.upstream_seconds,
            prompt_tokens=entry.prompt_tokens,
            completion_tokens=entry.completion_tokens,
            tags=entry.tags,
            category=entry.category,
            embedded=None if entry.embedded is None else _embedded(entry.embedded),
        )

    def _body(self, entry: EntryLine) -> bytes:
        """Check that the answer could be served: hits are not checked again."""
        endpoint = self._endpoints.get(entry.endpoint)
        if endpoint is None:
            known = ", ".join(sorted(self._endpoints))
            raise BadEntry("endpoint", f"not one of {known}")
        body = entry.body.encode()
        if len(body) > self._max_body_bytes:
            raise BadEntry("body", f"over the limit of {self._max_body_bytes} bytes")
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise BadEntry("body", "not JSON") from None
        if not isinstance(answer, dict) or not answer or endpoint.pack(answer) != body:
            raise BadEntry("body", f"not the stored form of an answer of {entry.endpoint}")
        if not can_replay(endpoint, body):
            raise BadEntry("body", f"cannot be replayed as an answer of {entry.endpoint}")
        return body


def _embedded(line: EmbeddedLine) -> Embedded:
    partition = bytes.fromhex(line.partition)
    return Embedded(partition, line.fingerprint, _vector(line.vector))


def _vector(text: str) -> Vector:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadEntry("embedded.vector", "not base64") from None
    if not data or len(data) % _FLOAT.itemsize or len(data) > _FLOAT.itemsize * _MAX_DIMENSION:
        raise BadEntry("embedded.vector", f"not 1 to {_MAX_DIMENSION} numbers of 4 bytes")
    vector = np.frombuffer(data, _FLOAT).astype(np.float32)
    # A longer vector would be nearer to everything than it is.
    if not abs(float(np.linalg.norm(vector)) - 1.0) < _UNIT_WITHIN:
        raise BadEntry("embedded.vector", "not of length 1")
    return vector
