"""What the client asks of the cache, read from the request headers.

A directive tightens what the configuration allows and never loosens it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from cachemw.errors import BadRequest


class Mode(IntEnum):
    """How far down the ladder a request may be answered; each mode includes those before it."""

    OFF = 0
    EXACT = 1
    SEMANTIC = 2
    FULL = 3


@dataclass(frozen=True, slots=True)
class Directives:
    """The request's wishes. `max_age` and `ttl` in seconds, `threshold` a cosine similarity."""

    mode: Mode = Mode.FULL
    read: bool = True
    store: bool = True
    only_if_cached: bool = False
    max_age: float | None = None
    ttl: float | None = None
    threshold: float | None = None
    scope: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    explain: bool = False


_DEFAULTS = {mode: Directives(mode=mode) for mode in Mode}
_CACHE_CONTROL = b"cache-control"
_HEADERS = frozenset(
    {
        _CACHE_CONTROL,
        b"x-cachemw-mode",
        b"x-cachemw-threshold",
        b"x-cachemw-ttl",
        b"x-cachemw-category",
        b"x-cachemw-tags",
        b"x-cachemw-scope",
        b"x-cachemw-explain",
    }
)
_MAX_TAGS = 16
_MAX_NAME = 128


def read_directives(headers: Mapping[bytes, bytes], ceiling: Mode) -> Directives:
    """Read the directives of a request; `ceiling` is the configured mode.

    Raises BadRequest naming the header at fault.
    """
    if _HEADERS.isdisjoint(headers):
        return _DEFAULTS[ceiling]
    control = _cache_control(headers.get(_CACHE_CONTROL, b"").decode("latin-1"))
    max_age = _seconds("Cache-Control", control["max-age"]) if "max-age" in control else None
    ttl, threshold = headers.get(b"x-cachemw-ttl"), headers.get(b"x-cachemw-threshold")
    tags = _text(headers, b"x-cachemw-tags") or ""
    return Directives(
        mode=min(ceiling, _mode(headers.get(b"x-cachemw-mode"))),
        read="no-cache" not in control and max_age != 0,
        store="no-store" not in control,
        only_if_cached="only-if-cached" in control,
        max_age=max_age,
        ttl=None if ttl is None else _seconds("x-cachemw-ttl", ttl.decode("latin-1")),
        threshold=None if threshold is None else _similarity(threshold.decode("latin-1")),
        scope=_text(headers, b"x-cachemw-scope"),
        category=_text(headers, b"x-cachemw-category"),
        tags=_tags(tags),
        explain=headers.get(b"x-cachemw-explain", b"0").strip() not in (b"", b"0", b"false"),
    )


def _cache_control(value: str) -> dict[str, str]:
    """Parse `a, b=c` (RFC 9111, section 5.2); names are case-insensitive."""
    parts = (part.strip().partition("=") for part in value.split(",") if part.strip())
    return {name.strip().lower(): argument.strip().strip('"') for name, _, argument in parts}


def _mode(value: bytes | None) -> Mode:
    if value is None:
        return Mode.FULL
    try:
        return Mode[value.decode("latin-1").strip().upper()]
    except KeyError:
        allowed = ", ".join(mode.name.lower() for mode in Mode)
        raise BadRequest(
            f"x-cachemw-mode must be one of {allowed}.", param="x-cachemw-mode"
        ) from None


def _seconds(name: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise BadRequest(f"{name} needs a number of seconds, 0 or more.", param=name)
    return seconds


def _similarity(value: str) -> float:
    try:
        similarity = float(value)
    except ValueError:
        similarity = -1.0
    if not 0 <= similarity <= 1:
        raise BadRequest(
            "x-cachemw-threshold must be a similarity from 0 to 1.", param="x-cachemw-threshold"
        )
    return similarity


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    if value is None:
        return None
    if len(value) > _MAX_NAME * _MAX_TAGS:
        raise BadRequest(f"{name.decode()} is too long.", param=name.decode())
    return value.decode("latin-1").strip()


def _tags(value: str) -> tuple[str, ...]:
    tags = tuple(sorted({tag.strip() for tag in value.split(",") if tag.strip()}))
    if len(tags) > _MAX_TAGS or any(len(tag) > _MAX_NAME for tag in tags):
        raise BadRequest(
            f"x-cachemw-tags takes up to {_MAX_TAGS} tags of up to {_MAX_NAME} characters.",
            param="x-cachemw-tags",
        )
    return tags
