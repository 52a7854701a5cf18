"""How long the event loop does not come round."""

from __future__ import annotations

import asyncio
import gc
import heapq
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_SLEEP = 0.001
_WORST = 5


@dataclass(frozen=True, slots=True)
class Pauses:
    """Lateness of a 1 ms sleep, in milliseconds, and what was under way at the longest ones.

    `own` is the longest for which the process had CPU: no more of it can be of its own making.
    """

    samples: int
    p999: float
    longest: float
    own: float
    worst: Sequence[tuple[float, str]]


@dataclass(slots=True)
class PauseProbe:
    """A task that sleeps for 1 ms again and again, and notes how late it wakes."""

    doing: Callable[[], str] = lambda: "nothing"
    _late: list[float] = field(default_factory=list)
    _worst: list[tuple[float, str]] = field(default_factory=list)
    _own: float = 0.0
    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop; it can be started again."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def pauses(self) -> Pauses:
        """Return what was seen so far."""
        p999 = float(np.percentile(self._late, 99.9))
        worst = sorted(self._worst, reverse=True)
        return Pauses(len(self._late), p999, max(self._late), self._own, worst)

    async def _run(self) -> None:
        while True:
            began = self.doing()
            started, thread, process = _clocks()
            await asyncio.sleep(_SLEEP)
            late = 1e3 * (time.perf_counter() - started - _SLEEP)
            self._late.append(late)
            _, thread_end, process_end = _clocks()
            self._own = max(self._own, min(late, 1e3 * (process_end - process)))
            if len(self._worst) < _WORST or late > self._worst[0][0]:
                ended = self.doing()
                what = began if began == ended else f"{began}, then {ended}"
                what += (
                    f"; CPU of the loop {1e3 * (thread_end - thread):.1f} ms, of the whole "
                    f"process {1e3 * (process_end - process):.1f} ms"
                )
                add = heapq.heappush if len(self._worst) < _WORST else heapq.heapreplace
                add(self._worst, (late, what))


def _clocks() -> tuple[float, float, float]:
    """Return the time, this thread's CPU time, and the process's, all in seconds."""
    return time.perf_counter(), time.thread_time(), time.process_time()


class Collections:
    """The longest run of Python's garbage collector, by generation, in milliseconds."""

    def __init__(self) -> None:
        self.longest = [0.0, 0.0, 0.0]
        self._started = 0.0
        gc.callbacks.append(self._note)

    def close(self) -> None:
        """Stop."""
        gc.callbacks.remove(self._note)

    def _note(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._started = time.perf_counter()
            return
        took, generation = 1e3 * (time.perf_counter() - self._started), info["generation"]
        self.longest[generation] = max(self.longest[generation], took)
