"""A paced mixed load that notes how every request went."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random

from loadtests.http.client import Connection, Response, raw_request

_PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Shot:
    """One request: when it began (monotonic, s), how long it took, what came; status 0: nothing."""

    at: float
    seconds: float
    status: int
    layer: str


@dataclass(slots=True)
class Results:
    """All shots of a time."""

    shots: list[Shot] = field(default_factory=list)

    def between(self, start: float, end: float) -> Results:
        """Return those that began in an interval."""
        return Results([shot for shot in self.shots if start <= shot.at < end])

    @property
    def failed(self) -> int:
        """Requests without a good answer."""
        return sum(shot.status != 200 for shot in self.shots)

    @property
    def layers(self) -> Counter[str]:
        """Who answered."""
        return Counter(shot.layer for shot in self.shots)

    @property
    def seconds(self) -> Sequence[float]:
        """How long each took."""
        return [shot.seconds for shot in self.shots]


def questions(rng: Random, known: int, new_share: float) -> Iterator[str]:
    """Yield questions: one of `known` again and again, or, at `new_share`, one never asked."""
    for number in count():
        if rng.random() < new_share:
            yield f"A question of its own: {number} {rng.random()}"
        else:
            yield f"A question that many ask: {rng.randrange(known)}"


def request(question: str, model: str = "fake-large") -> bytes:
    """Return a chat request; its system prompt is its own, so that nothing is near it."""
    body = {
        "model": model,
        "messages": [
            {"role": "system", "content": question},
            {"role": "user", "content": question},
        ],
    }
    return raw_request(_PATH, json.dumps(body).encode(), {"authorization": "Bearer sk-load"})


class PacedLoad:
    """Sends `rate` requests a second, whether or not the last ones have been answered.

    An open loop: a server that stalls does not slow its clients down, so every stall is seen by all
    who would have met it. Up to `most` requests are under way; past that the load itself stalls.
    """

    def __init__(self, ports: Sequence[int], rate: float, texts: Iterator[str], most: int) -> None:
        self._ports = ports
        self._pause = 1.0 / rate
        self._texts = texts
        self._idle: dict[int, list[Connection]] = {port: [] for port in ports}
        self._room = asyncio.Semaphore(most)
        self._shots: set[asyncio.Task[None]] = set()
        self.results = Results()

    async def run(self, seconds: float) -> None:
        """Send for so long, and wait for the replies."""
        begin = time.monotonic()
        for number in count():
            due = begin + number * self._pause
            if due > begin + seconds:
                break
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self._room.acquire()
            port = self._ports[number % len(self._ports)]
            task = asyncio.create_task(self._shoot(port, next(self._texts), due))
            self._shots.add(task)
            task.add_done_callback(self._shots.discard)
        await asyncio.gather(*self._shots)

    def close(self) -> None:
        """Close all connections."""
        for idle in self._idle.values():
            for connection in idle:
                connection.close()

    async def _shoot(self, port: int, text: str, due: float) -> None:
        """Ask; the time counts from when the request was due."""
        status, layer = 0, "none"
        try:
            reply = await self._ask(port, request(text))
            status, layer = reply.status, reply.header(b"x-cachemw-layer").decode() or "none"
        except OSError:
            pass
        finally:
            self._room.release()
        self.results.shots.append(Shot(due, time.monotonic() - due, status, layer))

    async def _ask(self, port: int, raw: bytes) -> Response:
        idle = self._idle[port]
        connection = idle.pop() if idle else await Connection.open(port)
        reply = await connection.request(raw)
        idle.append(connection)
        return reply
