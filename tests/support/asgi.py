"""Ask an ASGI application without a socket; a client can also hang up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class AsgiReply:
    """What the application sent; `ended` once it said that the body is whole."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    ended: bool = False

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks)

    def header(self, name: str) -> str:
        """Return the one header of that name, or nothing."""
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} came twice"
        return values[0] if values else ""

    def json(self) -> Any:
        """Parse the body."""
        return json.loads(self.body)

    @property
    def layer(self) -> str:
        """The layer that answered."""
        return self.header("x-cachemw-layer")

    @property
    def stored(self) -> bool:
        """Whether the reply says that the answer is in the store."""
        return "stored" in self.header("cache-status")


@dataclass(slots=True)
class AsgiExchange:
    """One request under way. `hang_up` is what a client does that closes its connection."""

    task: asyncio.Task[None]
    reply: AsgiReply
    gone: asyncio.Event

    def hang_up(self) -> None:
        """Close the client's side."""
        self.gone.set()

    async def done(self, within: float = 20.0) -> AsgiReply:
        """Wait for the end of the exchange."""
        async with asyncio.timeout(within):
            await self.task
        return self.reply


class AsgiClient:
    """Sends requests to one application."""

    def __init__(self, app: Any, headers: Mapping[str, str] | None = None) -> None:
        self._app = app
        self._headers = dict(headers or {})

    def start(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Sequence[tuple[bytes, bytes]] = (),
        *,
        query: bytes = b"",
        pieces: int = 1,
    ) -> AsgiExchange:
        """Begin a request; its body comes in so many pieces."""
        own = [(k.encode(), v.encode()) for k, v in self._headers.items()]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query,
            "headers": [*own, *headers, (b"content-length", str(len(body)).encode())],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        reply, gone = AsgiReply(), asyncio.Event()
        size = max(1, -(-len(body) // pieces))
        cut = [body[start : start + size] for start in range(0, max(1, len(body)), size)]
        pending = [
            {"type": "http.request", "body": piece, "more_body": number < len(cut)}
            for number, piece in enumerate(cut, start=1)
        ][::-1]

        async def receive() -> MutableMapping[str, Any]:
            if pending:
                return pending.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            await asyncio.sleep(0)
            if message["type"] == "http.response.start":
                assert reply.status == 0, "two heads"
                reply.status = message["status"]
                head = message["headers"]
                reply.headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in head]
                return
            assert reply.status, "a body without a head"
            assert not reply.ended, "more after the end"
            reply.chunks.append(message.get("body", b""))
            reply.ended = not message.get("more_body", False)

        task = asyncio.create_task(self._app(scope, receive, send))
        return AsgiExchange(task, reply, gone)

    async def ask(
        self,
        body: Any,
        path: str = "/v1/chat/completions",
        *,
        method: str = "POST",
        within: float = 20.0,
        **headers: str,
    ) -> AsgiReply:
        """Send JSON (or bytes as they are) and wait for the end of the reply."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
        return await self.start(method, path, sent, named).done(within)

    async def get(self, path: str, *, method: str = "GET") -> AsgiReply:
        """Send a request without a body."""
        return await self.start(method, path).done()
