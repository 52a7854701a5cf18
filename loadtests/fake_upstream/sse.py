"""Server-sent events, and everything that can be wrong with them on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import orjson

from loadtests.fake_upstream.behaviour import Behaviour
from loadtests.fake_upstream.errors import error_object

DONE = b"data: [DONE]\n\n"


def data(payload: Mapping[str, Any]) -> bytes:
    """Encode an event without a name, as chat completions have them."""
    return b"data: %b\n\n" % orjson.dumps(payload)


def event(payload: Mapping[str, Any]) -> bytes:
    """Encode an event named by its type, as responses have them."""
    return b"event: %b\ndata: %b\n\n" % (payload["type"].encode(), orjson.dumps(payload))


def disturb(frames: list[bytes], behaviour: Behaviour) -> list[bytes]:
    """Return the stream as the request wants it: broken, decorated or cut differently."""
    for name, change in _CHANGES.items():
        if getattr(behaviour, name):
            frames = change(frames)
    if behaviour.chunk_bytes:
        frames = list(_resplit(b"".join(frames), behaviour.chunk_bytes))
    return frames


def _fail_midway(frames: list[bytes]) -> list[bytes]:
    half = frames[: len(frames) // 2]
    named = frames[0].startswith(b"event:")
    if named:
        failure = event(
            {
                "type": "error",
                "code": "server_error",
                "message": "The fake server failed on request.",
                "param": None,
                "sequence_number": len(half),
            }
        )
    else:
        failure = data(error_object(500, "The fake server failed on request."))
    return [*half, failure]


def _break_midway(frames: list[bytes]) -> list[bytes]:
    middle = len(frames) // 2
    return [*frames[:middle], b'data: {"id": "chatcmpl-br\n\n', *frames[middle:]]


_CHANGES: Mapping[str, Callable[[list[bytes]], list[bytes]]] = MappingProxyType(
    {
        "error_event": _fail_midway,
        "malformed_sse": _break_midway,
        "no_done": lambda frames: frames[:-1],
        "comments": lambda frames: [b": keep-alive\n\n" + frame for frame in frames],
        "crlf": lambda frames: [frame.replace(b"\n", b"\r\n") for frame in frames],
    }
)


def _resplit(whole: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(whole), size):
        yield whole[start : start + size]
