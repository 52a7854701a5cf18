"""Read a `Cache-Status` header (RFC 9211), as far as cachemw writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CacheStatus:
    """One cache's entry of the header."""

    cache: str
    hit: bool
    forwarded: str | None
    stored: bool
    ttl: int | None
    key: str | None
    detail: str | None


def parse(headers: Mapping[str, str]) -> CacheStatus:
    """Read the header; it must be there."""
    cache, *parameters = (part.strip() for part in headers["cache-status"].split(";"))
    values = dict(parameter.partition("=")[::2] for parameter in parameters)
    return CacheStatus(
        cache=cache,
        hit="hit" in values,
        forwarded=values.get("fwd"),
        stored="stored" in values,
        ttl=int(values["ttl"]) if "ttl" in values else None,
        key=values["key"].strip('"') if "key" in values else None,
        detail=values.get("detail"),
    )
