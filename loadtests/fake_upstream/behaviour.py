"""What a request asks the fake server to do.

Directives stand in the header `x-fake`, or in the body field `x_fake` where a proxy under test
would not forward a header: `key=value` pairs and bare flags, separated by semicolons.

    x-fake: status=429;retry-after=1;times=2
    x-fake: tools=2;chunk-bytes=1
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One field per directive, `_` standing for `-`; the default is a good answer at once."""

    # failures
    status: int = 0  # answer with this error status
    retry_after: str = ""  # seconds, sent with an error status
    times: int = 0  # misbehave for the first N such requests only; 0: always
    die: str = ""  # before | mid: drop the connection
    hang: str = ""  # before | mid: say nothing more until the client leaves
    error_event: bool = False  # an error object in the middle of the stream, which then ends
    malformed_sse: bool = False  # an event that is not JSON, in the middle of the stream
    no_done: bool = False  # the stream ends without its last event

    # time
    delay: float = 0.0  # seconds before the response head
    ttft_ms: float = -1.0  # time to the first token; negative: the server's own
    tpot_ms: float = -1.0  # time per further token; negative: the server's own

    # content
    tokens: int = 0  # length of the answer; 0: the server's own
    big: int = 0  # length of the answer in characters, instead
    echo: str = ""  # the answer itself
    vary: bool = False  # a different answer to every call
    n: int = 0  # choices; 0: as the request says
    finish: str = ""  # finish reason
    tools: int = 0  # calls of the offered tools, in parallel
    refusal: bool = False
    reasoning: bool = False
    logprobs: bool = False
    no_usage: bool = False

    # transport
    chunk_bytes: int = 0  # cut the stream at arbitrary byte borders
    crlf: bool = False  # end lines as SSE also allows
    comments: bool = False  # keep-alive comments between events
    gzip: bool = False


_CONVERT: Mapping[type, Callable[[str], Any]] = MappingProxyType(
    {
        bool: lambda text: text not in {"0", "false"},
        int: lambda text: int(text or 1),
        float: float,
        str: lambda text: text or "before",  # a bare `die` or `hang`
    }
)
_DEFAULT = Behaviour()
_KINDS: Mapping[str, type] = MappingProxyType(
    {field.name: type(field.default) for field in fields(Behaviour)}
)


def parse(text: str) -> Behaviour:
    """Read directives; a ValueError names the one that cannot be read."""
    if not text:
        return _DEFAULT
    values: dict[str, Any] = {}
    for directive in filter(None, (part.strip() for part in text.split(";"))):
        name, _, value = directive.partition("=")
        kind = _KINDS.get(name.replace("-", "_"))
        if kind is None:
            raise ValueError(f"x-fake: no such directive: {directive!r}")
        values[name.replace("-", "_")] = _CONVERT[kind](value)
    return Behaviour(**values)
