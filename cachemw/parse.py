"""From bytes to a JSON object, or a 400 that says what is wrong."""

from __future__ import annotations

from typing import Any

import orjson

from cachemw.errors import BadRequest


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse a request body. Raises BadRequest; the message never repeats the body."""
    if not body:
        raise BadRequest("The body is empty; a JSON object is expected.")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # error.msg alone: error.doc is the whole body.
        where = f"line {error.lineno}, column {error.colno}"
        raise BadRequest(f"The body is not valid JSON: {error.msg} ({where}).") from None
    if not isinstance(value, dict):
        raise BadRequest(f"The body must be a JSON object, not {_kind(value)}.")
    return value


def _kind(value: object) -> str:
    kinds = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
