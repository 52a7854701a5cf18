from __future__ import annotations

import os
import sys

from cachemw.config import ServerConfig
from cachemw.workers.process import Patience, WorkerProcess, longest_stop, patience_for

ECHO = "import os, sys; os.write(0, b'.'); sys.exit(len(sys.stdin.readline()))"


def test_the_supervisor_waits_longer_than_a_worker_may_take() -> None:
    config = ServerConfig(drain_seconds=2.0, shutdown_seconds=30.0)
    assert longest_stop(config) > 2.0 + 2 * 30.0
    assert patience_for(config).stop > longest_stop(config)


async def test_a_worker_gets_its_line_and_is_followed_to_its_end() -> None:
    serving = []
    worker = await WorkerProcess.start((sys.executable, "-c", ECHO), os.environ, Patience())
    ending = await worker.follow(b"1234\n", lambda: serving.append(worker.pid))
    assert ending.code == 5
    assert serving == [worker.pid]


async def test_a_worker_that_reads_nothing_is_followed_too() -> None:
    worker = await WorkerProcess.start((sys.executable, "-c", ""), os.environ, Patience())
    ending = await worker.follow(b"x" * 10_000_000 + b"\n", lambda: None)
    assert (ending.code, ending.served_s) == (0, 0.0)
