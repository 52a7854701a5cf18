"""Errors in OpenAI's shape."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_KINDS: Mapping[int, tuple[str, str | None]] = MappingProxyType(
    {
        400: ("invalid_request_error", None),
        401: ("invalid_request_error", "invalid_api_key"),
        403: ("invalid_request_error", "unsupported_country_region_territory"),
        404: ("invalid_request_error", "model_not_found"),
        429: ("requests", "rate_limit_exceeded"),
    }
)
_SERVER = ("server_error", None)


class Refused(Exception):
    """The request gets an error for its answer."""

    def __init__(self, status: int, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.payload = error_object(status, message, param)


def error_object(status: int, message: str, param: str | None = None) -> dict[str, Any]:
    """Return the JSON body of an error response."""
    kind, code = _KINDS.get(status, _SERVER)
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
