"""A TCP proxy that counts turns: how often a client spoke and was answered."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

_CHUNK = 1 << 16


class TurnCounter:
    """Passes everything on to `port` of this machine, and counts round trips.

    A turn begins when the client sends after the server has answered (or first of all), however
    many packets the sides use.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.turns = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        upstream, to_upstream = await asyncio.open_connection("127.0.0.1", self._target)
        client_speaks = False

        async def ask() -> None:
            nonlocal client_speaks
            while data := await reader.read(_CHUNK):
                self.turns += not client_speaks
                client_speaks = True
                to_upstream.write(data)

        async def answer() -> None:
            nonlocal client_speaks
            while data := await upstream.read(_CHUNK):
                client_speaks = False
                writer.write(data)

        directions = [asyncio.ensure_future(ask()), asyncio.ensure_future(answer())]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
            to_upstream.close()
            writer.close()
            self._tasks.discard(task)
