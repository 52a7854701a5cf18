"""The floor: an ASGI application that parses the body and replies the same bytes every time.

`python -m loadtests.http.bare --port 9000 --reply reply.json`, under the uvicorn settings that
cachemw uses. What it does less than cachemw is everything that cachemw is.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import orjson
import uvicorn

_REPLY = "BARE_REPLY"
Message = MutableMapping[str, Any]


class Bare:
    """Replies `body` with `headers` to whatever JSON it is sent."""

    def __init__(self, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self._headers = headers
        self._body = body

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        message = await receive()
        parts = [message.get("body", b"")]
        while message.get("more_body"):
            message = await receive()
            parts.append(message.get("body", b""))
        if scope["method"] == "POST":
            orjson.loads(b"".join(parts))
        # New containers each time, as a real application makes them.
        await send({"type": "http.response.start", "status": 200, "headers": [*self._headers]})
        await send({"type": "http.response.body", "body": self._body})


def write_reply(path: Path, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Write a reply for `--reply`. `date` is left out: uvicorn adds its own, as for cachemw."""
    kept = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in headers if n != b"date"]
    path.write_text(json.dumps({"headers": kept, "body": body.decode()}), "utf-8")


def load(path: Path) -> Bare:
    """Return the application for a reply that `write_reply` wrote."""
    reply = json.loads(path.read_text("utf-8"))
    headers = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in reply["headers"]
    ]
    return Bare(headers, reply["body"].encode())


def from_environment() -> Bare:
    """Return the application whose reply the environment names: how uvicorn's workers make it."""
    return load(Path(os.environ[_REPLY]))


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.http.bare", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--reply", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    os.environ[_REPLY] = str(chosen.reply)
    uvicorn.run(
        "loadtests.http.bare:from_environment",
        factory=True,
        workers=chosen.workers,
        port=chosen.port,
        http="httptools",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
