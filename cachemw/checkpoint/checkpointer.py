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
        self.process: asyncio.subprocess.Process | None = None

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
        if self.process is not None:
            self.process.kill()
            await self.process.wait()
            self.process = None

    async def _write(self, job: CheckpointJob) -> str:
        process = self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cachemw.checkpoint.worker"),
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._env,
        )
        # On stdin: the command line is there for everybody to see, and the URL has a password.
        _, said = await process.communicate(job.to_json())
        self.process = None
        code = process.returncode or 0
        kind = said.decode(errors="replace").strip()
        # The kind of an error, and nothing that might quote what is stored.
        return _OUTCOMES.get(code) or (kind if kind.isidentifier() else f"exit {code}")
