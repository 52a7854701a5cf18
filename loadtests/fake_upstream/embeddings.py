"""`POST /v1/embeddings`, as lists of floats or base64."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from typing import Any

import orjson

from loadtests.fake_upstream.call import Call, Endpoint, Json

_DIMENSIONS = 32


def plain(call: Call) -> Json:
    """Return one unit vector per input, derived from a hash of it."""
    inputs = _inputs(call.body["input"])
    size = int(call.body.get("dimensions") or _DIMENSIONS)
    packed = call.body.get("encoding_format") == "base64"
    tokens = sum(max(1, len(orjson.dumps(item)) // 4) for item in inputs)
    return {
        "object": "list",
        "model": call.model,
        "data": [
            {"object": "embedding", "index": index, "embedding": _encode(vector, packed=packed)}
            for index, vector in enumerate(_vector(call.model, item, size) for item in inputs)
        ],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _inputs(given: Any) -> list[Any]:
    """Split the input: a text, a list of texts, tokens, or a list of token lists."""
    single = isinstance(given, str) or (given and isinstance(given[0], int))
    return [given] if single else list(given)


def _vector(model: str, item: Any, size: int) -> list[float]:
    raw = hashlib.shake_256(orjson.dumps([model, item])).digest(2 * size)
    values = [value / 32768 for value in struct.unpack(f"<{size}h", raw)]
    norm = math.hypot(*values)
    return [value / norm for value in values]


def _encode(vector: list[float], *, packed: bool) -> list[float] | str:
    if not packed:
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


ENDPOINT = Endpoint("embeddings", {"model": (str,), "input": (str, list)}, plain)
