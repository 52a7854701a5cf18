"""One thread that advances many generations in turn, and the bridge from it to asyncio.

Knows nothing of models: a source is any iterator, an item whatever it yields.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import traceback
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from cachemw.errors import Draining, HttpError
from cachemw.local.errors import GenerationFailed, QueueFull

logger = logging.getLogger("cachemw.local")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Ended:
    error: HttpError | None = None


class Ticket(Generic[T]):
    """The receiving end of one request's sources: iterate over it once, on the event loop."""

    def __init__(self, sources: int, loop: asyncio.AbstractEventLoop) -> None:
        self._open = sources
        self._loop = loop
        self._items: asyncio.Queue[tuple[int, T | _Ended]] = asyncio.Queue()
        self.cancelled = False

    def cancel(self) -> None:
        """Stop the sources at their next turn; what they still yield is dropped."""
        self.cancelled = True

    def post(self, index: int, item: T | _Ended) -> None:
        """Hand over an item from the model thread."""
        self._loop.call_soon_threadsafe(self._items.put_nowait, (index, item))

    async def __aiter__(self) -> AsyncIterator[tuple[int, T]]:
        """Yield (source index, item) until every source has ended.

        Raises `GenerationFailed` when a source raised and `Draining` when the scheduler closed.
        """
        while self._open:
            index, item = await self._items.get()
            if not isinstance(item, _Ended):
                yield index, item
                continue
            self._open -= 1
            if item.error is not None:
                self.cancel()
                raise item.error


@dataclass(slots=True, eq=False)
class _Slot(Generic[T]):
    """One source and where its items go."""

    source: Iterator[T]
    ticket: Ticket[T]
    index: int

    def advance(self) -> bool:
        """Take one item from the source; return whether it may have more."""
        if self.ticket.cancelled:
            return False
        try:
            item = next(self.source)
        except StopIteration:
            self.ticket.post(self.index, _Ended())
        except Exception as error:  # noqa: BLE001  its request gets it; the other requests go on
            # Frames and type only: a message may quote the prompt.
            frames = "".join(traceback.format_tb(error.__traceback__))
            logger.error("generation failed: %s\n%s", type(error).__name__, frames)
            failure = GenerationFailed(f"the generation failed: {type(error).__name__}")
            self.ticket.post(self.index, _Ended(failure))
        else:
            self.ticket.post(self.index, item)
            return True
        return False


class TurnScheduler(Generic[T]):
    """Advances up to `max_active` sources one item each in turn; up to `max_waiting` more wait."""

    def __init__(self, *, max_active: int, max_waiting: int) -> None:
        self._max_active = max_active
        self._max_waiting = max_waiting
        self._active: list[_Slot[T]] = []
        self._waiting: deque[_Slot[T]] = deque()
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="cachemw-model", daemon=True)

    @property
    def capacity(self) -> int:
        """The most sources that one request may bring."""
        return self._max_active + self._max_waiting

    def start(self) -> None:
        """Start the thread; once."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the current item and tell every open request `Draining`. Joins the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def submit(self, sources: Sequence[Iterator[T]]) -> Ticket[T]:
        """Queue one request's sources, all or none. Call it on the event loop.

        Raises `QueueFull` when they do not fit and `Draining` after `close`.
        """
        ticket: Ticket[T] = Ticket(len(sources), asyncio.get_running_loop())
        with self._changed:
            if self._closing:
                raise Draining("the local model is shutting down")
            self._waiting = deque(slot for slot in self._waiting if not slot.ticket.cancelled)
            if len(self._active) + len(self._waiting) + len(sources) > self.capacity:
                raise QueueFull("the local model's queue is full", retry_after_s=1)
            for index, source in enumerate(sources):
                self._waiting.append(_Slot(source, ticket, index))
            self._changed.notify()
        return ticket

    def _run(self) -> None:
        while turn := self._next_turn():
            ended = [slot for slot in turn if not slot.advance()]
            if ended:
                with self._changed:
                    self._active = [slot for slot in self._active if slot not in ended]
        for slot in [*self._active, *self._waiting]:
            if not slot.ticket.cancelled:
                error = Draining("the local model is shutting down")
                slot.ticket.post(slot.index, _Ended(error))

    def _next_turn(self) -> list[_Slot[T]]:
        """Wait for work; return the slots to advance, none when closing."""
        with self._changed:
            self._changed.wait_for(lambda: self._active or self._waiting or self._closing)
            if self._closing:
                return []
            while self._waiting and len(self._active) < self._max_active:
                self._active.append(self._waiting.popleft())
            return list(self._active)
