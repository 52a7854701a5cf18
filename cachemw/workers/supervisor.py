"""The parent of all workers: starts them, replaces what dies or hangs, stops them.

Workers are interpreters of their own, not forks: what a process with threads holds does not survive
a fork. The first starts alone. So what is wrong with the configuration is found and said once, and
what is prepared once (the store's file, the embedder's graph) is prepared by one.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from cachemw.config import Config
from cachemw.exposition import forget_live
from cachemw.local.process import Backoff
from cachemw.workers.handover import Handover, Place
from cachemw.workers.listening import Address
from cachemw.workers.process import STOP_NOW, Ending, Patience, WorkerProcess

log = logging.getLogger("cachemw.workers")

COMMAND = (sys.executable, "-m", "cachemw.workers.worker")
EXIT_NO_START = 3
EXIT_KILLED = 1


class Supervisor:
    """Keeps `config.server.workers` workers serving on `listen` until it is told to stop.

    `models` are the sockets of the local upstreams' models. A worker that dies is replaced, at once
    or, where that happens again and again, by `backoff`.
    """

    def __init__(
        self,
        config: Config,
        listen: Sequence[Address],
        metrics: Path,
        models: Mapping[str, Path],
        env: Mapping[str, str],
        *,
        patience: Patience,
        backoff: Backoff | None = None,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._config = config
        self._listen = tuple(listen)
        self._metrics = metrics
        self._models = models
        self._env = {**env, "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
        self._patience = patience
        self._backoff = backoff or Backoff(first_s=0.1, most_s=30.0, healthy_after_s=10.0)
        self._command = command
        self._running: dict[int, WorkerProcess] = {}
        self._served = asyncio.Event()
        self._stopping = asyncio.Event()
        self._code = 0

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers that run."""
        return [worker.pid for worker in self._running.values()]

    async def run(self) -> int:
        """Serve until stopped; returns the exit code, of the first worker if it could not start."""
        first = asyncio.create_task(self._keep(0))
        served = asyncio.create_task(self._served.wait())
        await asyncio.wait({first, served}, return_when=asyncio.FIRST_COMPLETED)
        served.cancel()
        others = range(1, self._config.server.workers if self._served.is_set() else 1)
        await asyncio.gather(first, *(self._keep(number) for number in others))
        return self._code

    def stop(self, *, now: bool = False) -> None:
        """Have all workers finish what they have accepted; `now`, or a second time, undrained."""
        again = self._stopping.is_set()
        self._stopping.set()
        for worker in self._running.values():
            worker.send(STOP_NOW if now or again else signal.SIGTERM)
        if not again:
            asyncio.get_running_loop().call_later(self._patience.stop, self._kill)

    async def _keep(self, number: int) -> None:
        """Have a worker of this number, one after the other, until stopped."""
        failures = 0
        while not self._stopping.is_set():
            ending = await self._one(number)
            forget_live(number, self._metrics)
            if self._stopping.is_set():
                return
            if not self._served.is_set():  # nor will it the next time
                self._code = max(ending.code, 0) or EXIT_NO_START
                return
            log.warning(
                "worker died",
                extra={"worker": number, "code": ending.code, "served_s": round(ending.served_s)},
            )
            failures = 1 if ending.served_s >= self._backoff.healthy_after_s else failures + 1
            with suppress(TimeoutError):
                async with asyncio.timeout(self._backoff.delay_s(failures)):
                    await self._stopping.wait()

    async def _one(self, number: int) -> Ending:
        """Run one worker from its start to its end."""
        try:
            worker = await WorkerProcess.start(self._command, self._env, self._patience)
        except OSError as error:  # out of memory or of processes: that may pass
            log.error("no worker can be started", extra={"error": type(error).__name__})
            return Ending(EXIT_NO_START, 0.0)
        self._running[number] = worker
        if self._stopping.is_set():
            worker.send(signal.SIGTERM)
        place = Place(number, self._metrics, self._models)
        handover = Handover(self._config, self._listen, place)
        try:
            return await worker.follow(handover.line(), lambda: self._serves(number, worker.pid))
        finally:
            del self._running[number]

    def _serves(self, number: int, pid: int) -> None:
        log.info("worker serves", extra={"worker": number, "pid": pid})
        self._served.set()

    def _kill(self) -> None:
        for worker in self._running.values():
            log.warning("worker does not stop, killed", extra={"pid": worker.pid})
            self._code = EXIT_KILLED
            worker.send(signal.SIGKILL)
