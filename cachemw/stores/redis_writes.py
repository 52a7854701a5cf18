"""Writes under way: a write of several exchanges is finished before the connections close."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cachemw.errors import StoreUnavailable


class Writes:
    """Counts writes, until no more are accepted."""

    def __init__(self) -> None:
        self._running = 0
        self._none = asyncio.Event()
        self._none.set()
        self._closed = False

    @contextmanager
    def accept(self) -> Iterator[None]:
        """Count a write while it runs; raises `StoreUnavailable` after `aclose`."""
        if self._closed:
            msg = "the document store is not open"
            raise StoreUnavailable(msg)
        self._running += 1
        self._none.clear()
        try:
            yield
        finally:
            self._running -= 1
            if self._running == 0:
                self._none.set()

    async def aclose(self, timeout_s: float) -> None:
        """Accept no more, and wait for those that run, `timeout_s` at most."""
        self._closed = True
        with suppress(TimeoutError):
            await asyncio.wait_for(self._none.wait(), timeout_s)
