"""What an upstream is: an OpenAI-compatible backend that takes a request and streams a reply."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, replace

from cachemw.http.messages import Header

# Heeded by OpenAI's client libraries.
_SHOULD_RETRY = b"x-should-retry"


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """One call. `path` starts with /v1/; `body` is sent as it is, or streamed as it arrives.

    `deadline`, in the event loop's time, bounds it beside the upstream's own limits. `model` is
    what it is counted under.
    """

    method: str
    path: str
    query: bytes
    headers: list[Header]
    body: bytes | AsyncIterator[bytes]
    # Whether the reply's bytes must come exactly as they were sent (pass-through).
    raw: bool = False
    model: str = "other"
    deadline: float = math.inf

    @property
    def repeatable(self) -> bool:
        """Whether it may be made anew: it is at hand whole, and what it does is known."""
        if self.raw:
            return self.method in ("GET", "HEAD") and self.body == b""
        return isinstance(self.body, bytes)

    def header(self, name: bytes) -> str:
        """Return the first header of that (lower case) name, or nothing."""
        return next((v.decode("latin-1") for key, v in self.headers if key == name), "")


def _nothing() -> None:
    """Give up nothing."""


@dataclass(frozen=True, slots=True)
class UpstreamReply:
    """The head of a reply, and its body as it arrives; the body must be closed by its reader.

    `abandon` gives the body up at once, read or not; doing so again, or after its end, does
    nothing. An async generator that was never begun does not notice that it is closed. `calls` is
    how many calls it took.
    """

    status: int
    headers: list[Header]
    chunks: AsyncGenerator[bytes, None]
    abandon: Callable[[], None] = _nothing
    calls: int = 1

    def header(self, name: bytes) -> bytes:
        """Return the first header of that (lower case) name, or nothing."""
        return next((value for key, value in self.headers if key == name), b"")

    def final(self, calls: int = 1) -> UpstreamReply:
        """Return it as the last of several: the client should not retry on top of them."""
        headers = [header for header in self.headers if header[0] != _SHOULD_RETRY]
        headers.append((_SHOULD_RETRY, b"false"))
        return replace(self, headers=headers, calls=max(calls, self.calls))


class Upstream(ABC):
    """A named backend: `origin` is who gets credentials, `total_seconds` bounds a request."""

    name: str
    origin: str = ""
    total_seconds: float = math.inf

    @abstractmethod
    async def start(self) -> None:
        """Begin; returns at once, also where the backend still needs time to be ready."""

    @abstractmethod
    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        """Make the call and return when the head of the reply is there.

        Raises UpstreamError's kinds; reading `chunks` raises UpstreamBroken or
        UpstreamTimeout. A reply of any status is a reply.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Close connections and processes."""
