"""What an upstream is: an OpenAI-compatible backend that takes a request and streams a reply."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from cachemw.http.messages import Header


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """One call. `path` starts with /v1/; `body` is sent as it is, or streamed as it arrives."""

    method: str
    path: str
    query: bytes
    headers: list[Header]
    body: bytes | AsyncIterator[bytes]
    # Whether the reply's bytes must come exactly as they were sent (pass-through).
    raw: bool = False


@dataclass(frozen=True, slots=True)
class UpstreamReply:
    """The head of a reply, and its body as it arrives; the body must be closed by its reader."""

    status: int
    headers: list[Header]
    chunks: AsyncGenerator[bytes, None]

    def header(self, name: bytes) -> bytes:
        """Return the first header of that (lower case) name, or nothing."""
        return next((value for key, value in self.headers if key == name), b"")


class Upstream(ABC):
    """A named backend."""

    name: str

    @abstractmethod
    async def start(self) -> None:
        """Begin; returns at once, also where the backend still needs time to be ready."""

    @abstractmethod
    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        """Make the call and return when the head of the reply is there.

        Raises UpstreamUnavailable or UpstreamTimeout; reading `chunks` raises UpstreamBroken or
        UpstreamTimeout. A reply of any status is a reply.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Close connections and processes."""
