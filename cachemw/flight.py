"""Single-flight: identical requests in flight share one upstream call, streaming included.

The call is a task of its own. The client that caused it reads it like any follower, so a client
that hangs up, whichever it is, does not end it: it goes on and its answer is stored once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cachemw.endpoints.base import Json
from cachemw.errors import UpstreamBroken, UpstreamError
from cachemw.http.messages import Header, Stream

log = logging.getLogger("cachemw.flight")

# Pieces that a reader hands on at once.
_BURST = 64


@dataclass(frozen=True, slots=True)
class FlightHead:
    """The head of the upstream's reply; `is_stream` where its body is SSE.

    `key` and `model` are what the answer is stored under: a fallback's own; empty: as asked for.
    """

    status: int
    headers: list[Header]
    content_type: bytes
    is_stream: bool
    key: bytes = b""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the body: an SSE event, or bytes of a plain one.

    `only_usage` marks the chunk that carries usage alone, which only those get who asked for it.
    """

    data: bytes
    only_usage: bool = False


@dataclass(slots=True)
class FlightMemory:
    """What all flights of a process hold together, in bytes, and how much that may be."""

    limit: int
    held: int = 0


class Flight:
    """One upstream call and everything it has brought so far.

    Up to `max_bytes`, and while all flights together are within theirs, every piece is kept, so
    that a follower may join at any time. Past that the flight is *sealed*: nobody joins, nothing is
    stored, and only what the slowest reader has not had yet is kept; the call then waits for its
    readers.
    """

    def __init__(self, max_bytes: int, memory: FlightMemory) -> None:
        self._max_bytes = max_bytes
        self._memory = memory
        self._bytes = 0
        self._readers: set[FlightReader] = set()
        self._changed = asyncio.Event()
        self.pieces: list[Piece] = []
        self.first = 0  # number of the oldest piece kept
        self.head: FlightHead | None = None
        self.error: UpstreamError | None = None
        self.answer: Json | None = None
        self.stored = False
        self.finished = False
        self.over = False
        self.sealed = False
        self.collapsed = False  # another process made the call

    def begin(self, head: FlightHead) -> None:
        """Note that the head of the reply is there."""
        self.head = head
        self.notify()

    async def append(self, piece: Piece) -> None:
        """Take a piece. Once sealed waits for the readers; UpstreamBroken if none is left."""
        self.pieces.append(piece)
        self._count(len(piece.data))
        self.sealed = self.sealed or self._is_over
        self.notify()
        while self.sealed and self._is_over:
            if not self._readers:
                raise UpstreamBroken("Every reader of an answer too large to keep has left.")
            self._forget_read()
            # With nothing left to forget it is others that hold the memory: not to be waited for.
            if self._is_over and self.pieces:
                await self.change()
            else:
                break

    def finish(self, answer: Json | None = None, error: UpstreamError | None = None) -> None:
        """Nothing more will come."""
        self.answer = answer
        self.error = error
        self.finished = True
        self.notify()

    def fill(self, head: FlightHead, body: bytes, answer: Json) -> None:
        """Take a stored answer to a call that another process has made."""
        self.collapsed = True
        self.head = head
        self.pieces.append(Piece(body))
        self.stored = True
        self.finish(answer)

    def mark_stored(self) -> None:
        """Note that the answer is in the store."""
        self.stored = True
        self.notify()

    def end(self) -> None:
        """Note that the call is over: what is not stored by now will not be."""
        self.over = True
        self._release()
        self.notify()

    def reader(self, *, leads: bool) -> FlightReader:
        """Return a reader from the first piece on; it must be closed."""
        reader = FlightReader(self, leads=leads)
        self._readers.add(reader)
        return reader

    def leave(self, reader: FlightReader) -> None:
        """Let a reader go that wants nothing more."""
        self._readers.discard(reader)
        self._release()
        self.notify()

    def notify(self) -> None:
        """Wake everyone who waits for a change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def change(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()

    def _forget_read(self) -> None:
        slowest = min(reader.position for reader in self._readers)
        read, self.pieces = self.pieces[: slowest - self.first], self.pieces[slowest - self.first :]
        self.first = slowest
        self._count(-sum(len(piece.data) for piece in read))

    @property
    def _is_over(self) -> bool:
        return self._bytes > self._max_bytes or self._memory.held > self._memory.limit

    def _count(self, size: int) -> None:
        self._bytes += size
        self._memory.held += size

    def _release(self) -> None:
        """Let the memory go once nobody reads and nobody can come to read."""
        if self.over and not self._readers:
            self.pieces = []
            self._count(-self._bytes)


class FlightReader:
    """One client's view of a flight; `leads` for the one that caused it."""

    def __init__(self, flight: Flight, *, leads: bool) -> None:
        self._flight = flight
        self.leads = leads
        self.position = 0

    @property
    def flight(self) -> Flight:
        """What is read."""
        return self._flight

    async def head(self) -> FlightHead:
        """Wait for the head; raises the call's UpstreamError if it failed before."""
        while self._flight.head is None:
            if self._flight.error is not None:
                raise self._flight.error
            await self._flight.change()
        return self._flight.head

    async def settled(self) -> None:
        """Wait until the body is whole, or sealed; raises the call's UpstreamError."""
        while not (self._flight.finished or self._flight.sealed):
            await self._flight.change()
        if self._flight.error is not None:
            raise self._flight.error

    async def stored(self) -> None:
        """Wait until the answer is stored, or until it is known that it will not be."""
        while not (self._flight.stored or self._flight.over):
            await self._flight.change()

    async def follow(self, *, usage: bool) -> Stream:
        """Yield the body from its start, then live. Raises the call's UpstreamError at its end.

        `usage` lets the chunk through that carries usage alone.
        """
        flight = self._flight
        while True:
            offset = self.position - flight.first
            # What came in one burst goes out in one: writing costs more than reading does. Not
            # once sealed, where what a reader holds counts.
            burst = flight.pieces[offset : offset + (1 if flight.sealed else _BURST)]
            if burst:
                self.position += len(burst)
                if flight.sealed:
                    flight.notify()
                data = b"".join(p.data for p in burst if usage or not p.only_usage)
                if data:
                    yield data
            elif flight.finished:
                break
            else:
                await flight.change()
        if flight.error is not None:
            raise flight.error

    def whole_body(self) -> bytes:
        """Return the whole plain body of a finished flight that was not sealed."""
        return b"".join(piece.data for piece in self._flight.pieces)

    def close(self) -> None:
        """Leave the flight; closing again does nothing."""
        self._flight.leave(self)


Call = Callable[[Flight], Awaitable[None]]


class Flights:
    """The flights under way, by exact key.

    One may hold `max_bytes`, all together `total_bytes`.
    """

    def __init__(self, max_bytes: int, total_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._memory = FlightMemory(total_bytes)
        self._by_key: dict[bytes, Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def held(self) -> int:
        """What all of them hold, in bytes."""
        return self._memory.held

    def join(self, key: bytes) -> FlightReader | None:
        """Return a reader of the flight under `key`, if there is one that one may still join."""
        flight = self._by_key.get(key)
        if flight is None or flight.sealed or flight.error is not None:
            return None
        return flight.reader(leads=False)

    def lead(self, key: bytes | None, call: Call) -> FlightReader:
        """Start a call and return its first reader; without a key nobody can join it."""
        flight = Flight(self._max_bytes, self._memory)
        if key is not None:
            self._by_key[key] = flight
        task = asyncio.create_task(self._run(key, flight, call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return flight.reader(leads=True)

    async def drain(self, seconds: float) -> int:
        """Wait for the calls under way; returns how many had to be cancelled."""
        if not self._tasks:
            return 0
        _, late = await asyncio.wait(self._tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)

    async def _run(self, key: bytes | None, flight: Flight, call: Call) -> None:
        try:
            await call(flight)
        except UpstreamError as error:
            flight.finish(error=error)
        except Exception as error:  # noqa: BLE001 - a fault of ours, noted in the one place for it
            log.error("call failed", extra={"error": type(error).__name__})
        finally:
            # Readers must not wait for a task that is gone, whatever took it.
            if not flight.finished:
                flight.finish(error=UpstreamBroken("The call was ended before its answer was."))
            flight.end()
            if key is not None and self._by_key.get(key) is flight:
                del self._by_key[key]
