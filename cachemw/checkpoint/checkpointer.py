"""The serving process's side of a snapshot: starts the process that writes it, and watches it."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from cachemw.checkpoint.job import CheckpointJob
from cachemw.checkpoint.worker import EXIT_BUSY, EXIT_DONE
from cachemw.embed.base import Embedder
from cachemw.index.partitions import IndexSettings
from cachemw.metrics import Metrics
from cachemw.stores.settings import StoreSettings

log = logging.getLogger("cachemw.checkpoint")

# Fewer are read from the store as quickly.
_WORTH_IT = 5000
_OUTCOMES = {EXIT_DONE: "written", EXIT_BUSY: "busy"}
# The counters of the service are not for this process to write.
_NOT_INHERITED = "PROMETHEUS_MULTIPROC_DIR"


class Checkpointer:
    """Has snapshots of the index written to `folder`, one at a time."""

    def __init__(
        self,
        folder: Path,
        index: IndexSettings,
        store: StoreSettings,
        metrics: Metrics,
        *,
        env: Mapping[str, str] = os.environ,
        worth_it: int = _WORTH_IT,
    ) -> None:
        self.folder = folder
        self._index = index
        self._store = store
        self._metrics = metrics
        self._env = {name: value for name, value in env.items() if name != _NOT_INHERITED}
        self._worth_it = worth_it
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, embedder: Embedder, vectors: int) -> None:
        """Write one, if there are `vectors` enough; a failure is logged and costs nothing else."""
        if vectors < self._worth_it:
            return
        job = CheckpointJob(
            self.folder, embedder.fingerprint, embedder.dimension, self._index, self._store
        )
        try:
            outcome = await self._write(job)
        except OSError as error:
            outcome = type(error).__name__
        self._metrics.snapshots.labels(outcome if outcome in _OUTCOMES.values() else "failed").inc()
        log.info("index snapshot", extra={"outcome": outcome, "vectors": vectors})

    async def aclose(self) -> None:
        """Stop what is being written; the last snapshot stays."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    async def _write(self, job: CheckpointJob) -> str:
        process = self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cachemw.checkpoint.worker"),
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._env,
        )
        # On stdin: the command line is there for everybody to see, and the URL has a password.
        _, said = await process.communicate(job.to_json())
        self._process = None
        code = process.returncode or 0
        return _OUTCOMES.get(code) or said.decode(errors="replace")[-100:].strip() or f"exit {code}"
