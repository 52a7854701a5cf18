"""A thread that makes one call at a time, searches before changes."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from cachemw.errors import IndexUnavailable

_IN_A_ROW = 8
T = TypeVar("T")


class Lane:
    """Calls made one at a time on a thread of its own, which starts with the first of them.

    Urgent calls go first: they wait for one patient call at most. Patient ones keep their order,
    and one of them is made after every `_IN_A_ROW` urgent ones, so that they are not starved.
    `limit` bounds the urgent calls waiting, `nice` is the thread's where threads have one of their
    own (Linux): what is long must not take a core from what is waited for. (concurrent.futures
    knows no priorities.)
    """

    def __init__(self, name: str, *, limit: int = 4096, nice: int = 0) -> None:
        self._name = name
        self._nice = nice
        self._limit = limit
        self._urgent: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._patient: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._waiting = threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, call: Callable[[], T], *, urgent: bool = False) -> Future[T]:
        """Queue a call. Raises IndexUnavailable when too many wait, or after `close`."""
        queue = self._urgent if urgent else self._patient
        if self._closed or (urgent and len(queue) >= self._limit):
            raise IndexUnavailable("the index is closed" if self._closed else "too many searches")
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        future: Future[T] = Future()
        queue.append((future, call))
        self._waiting.release()
        return future

    async def run(self, call: Callable[[], T], *, urgent: bool = False) -> T:
        """Queue a call and wait for it."""
        return await asyncio.wrap_future(self.submit(call, urgent=urgent))

    def close(self) -> None:
        """Stop after the call under way; those that wait are cancelled."""
        self._closed = True
        for queue in (self._urgent, self._patient):
            while queue:
                queue.popleft()[0].cancel()
        self._waiting.release()

    def _work(self) -> None:
        if self._nice and sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._nice)
        row = 0
        while True:
            self._waiting.acquire()
            if self._closed:
                return
            patient = self._patient and (not self._urgent or row >= _IN_A_ROW)
            row = 0 if patient else row + 1
            try:
                future, call = (self._patient if patient else self._urgent).popleft()
            except IndexError:  # cancelled by `close` since
                return
            _make(future, call)


def _make(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001 - it is for whoever waits
        future.set_exception(error)
