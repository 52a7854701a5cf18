"""The supervisor over workers that do as they are told by a file."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cachemw.config import load_config
from cachemw.local.process import Backoff
from cachemw.workers.process import STOP_NOW, Patience
from cachemw.workers.supervisor import EXIT_KILLED, EXIT_NO_START, Supervisor

# Sends beats as a worker does; `behaviour` says what it does wrong, `log` what happened to it.
WORKER = """\
import json, os, pathlib, signal, sys, time
folder = pathlib.Path({folder!r})
behaviour = (folder / "behaviour").read_text()
number = json.loads(sys.stdin.buffer.readline())["number"]

def note(what):
    with (folder / "log").open("a") as log:
        log.write(f"{{what}} {{number}}\\n")

def stop(name):
    def handler(*_):
        note(name)
        sys.exit(0)
    return handler

signal.signal(signal.SIGTERM, stop("drained"))
signal.signal({now}, stop("stopped"))
if behaviour == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
note("started")
if behaviour.startswith("exit"):
    sys.exit(int(behaviour.split()[1]))
if behaviour == "mute":
    time.sleep(60)
while True:
    os.write(0, b".")
    if behaviour == "hang" and number == 1:
        time.sleep(60)
    time.sleep(0.02)
"""


@dataclass
class Watched:
    """A supervisor at work."""

    supervisor: Supervisor
    running: asyncio.Task[int]
    folder: Path

    def behave(self, behaviour: str) -> None:
        (self.folder / "behaviour").write_text(behaviour)

    def count(self, what: str) -> int:
        log = self.folder / "log"
        return log.read_text().splitlines().count(what) if log.exists() else 0

    async def until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            assert not self.running.done()
            await asyncio.sleep(0.01)


@asynccontextmanager
async def supervised(
    folder: Path, behaviour: str, *, workers: int = 2, patience: Patience | None = None
) -> AsyncIterator[Watched]:
    script = folder / "worker.py"
    script.write_text(WORKER.format(folder=str(folder), now=int(STOP_NOW)))
    (folder / "behaviour").write_text(behaviour)
    upstream = {"name": "x", "base_url": "http://127.0.0.1:9/v1"}
    config = load_config({"upstreams": [upstream], "server": {"workers": workers}}, {})
    supervisor = Supervisor(
        config,
        (),
        folder,
        {},
        os.environ,
        patience=patience or Patience(),
        backoff=Backoff(first_s=0.01, most_s=0.02),
        command=(sys.executable, str(script)),
    )
    running = asyncio.create_task(supervisor.run())
    try:
        yield Watched(supervisor, running, folder)
    finally:
        supervisor.stop(now=True)
        await running


async def test_the_first_worker_starts_alone_and_all_are_drained(tmp_path: Path) -> None:
    async with supervised(tmp_path, "serve", workers=3) as watched:
        await watched.until(lambda: watched.count("started 2") == 1)
        await watched.until(lambda: watched.count("started 1") == 1)
        assert (tmp_path / "log").read_text().startswith("started 0\n")
        watched.supervisor.stop()
        assert await watched.running == 0
    assert [watched.count(f"drained {number}") for number in range(3)] == [1, 1, 1]


async def test_a_second_order_to_stop_does_not_drain(tmp_path: Path) -> None:
    async with supervised(tmp_path, "stubborn", workers=1) as watched:
        await watched.until(lambda: watched.count("started 0") == 1)
        watched.supervisor.stop()
        watched.supervisor.stop()
        assert await watched.running == 0
    assert watched.count("stopped 0") == 1


async def test_a_worker_that_dies_is_replaced_under_its_number(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with supervised(tmp_path, "serve") as watched:
        await watched.until(lambda: watched.count("started 1") == 1)
        (tmp_path / "gauge_livesum_1.db").touch()
        (tmp_path / "counter_1.db").touch()
        for times in (2, 3):
            pid = max(watched.supervisor.pids)
            os.kill(pid, signal.SIGKILL)
            await watched.until(
                lambda times=times: (  # type: ignore[misc]
                    watched.count("started 0") + watched.count("started 1") == times + 1
                )
            )
        assert not (tmp_path / "gauge_livesum_1.db").exists()
        assert (tmp_path / "counter_1.db").exists()
    assert caplog.messages.count("worker died") == 2


async def test_a_worker_that_hangs_is_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with supervised(tmp_path, "hang", patience=Patience(silence=4.0)) as watched:
        await watched.until(lambda: watched.count("started 1") == 2)
        assert watched.count("started 0") == 1
        assert "worker hangs, killed" in caplog.messages


async def test_a_worker_that_never_serves_ends_the_start(tmp_path: Path) -> None:
    async with supervised(tmp_path, "mute", patience=Patience(start=1.0)) as watched:
        assert await watched.running == EXIT_NO_START
    assert watched.count("started 1") == 0


@pytest.mark.parametrize(("behaviour", "code"), [("exit 2", 2), ("exit 0", EXIT_NO_START)])
async def test_what_stops_the_first_worker_stops_the_service(
    tmp_path: Path, behaviour: str, code: int
) -> None:
    async with supervised(tmp_path, behaviour) as watched:
        assert await watched.running == code
    assert watched.count("started 0") == 1
    assert watched.count("started 1") == 0


async def test_workers_that_cannot_start_again_do_not_end_the_others(tmp_path: Path) -> None:
    async with supervised(tmp_path, "serve") as watched:
        await watched.until(lambda: watched.count("started 1") == 1)
        watched.behave("exit 2")
        os.kill(max(watched.supervisor.pids), signal.SIGKILL)
        await watched.until(lambda: watched.count("started 0") + watched.count("started 1") > 4)
        watched.behave("serve")
        await watched.until(lambda: len(watched.supervisor.pids) == 2)


async def test_what_does_not_stop_is_killed(tmp_path: Path) -> None:
    async with supervised(tmp_path, "stubborn", patience=Patience(stop=0.2)) as watched:
        await watched.until(lambda: watched.count("started 1") == 1)
        watched.supervisor.stop()
        assert await watched.running == EXIT_KILLED


async def test_workers_that_cannot_be_started_at_all(tmp_path: Path) -> None:
    async with supervised(tmp_path, "serve") as watched:
        (tmp_path / "worker.py").unlink()
        assert await watched.running > 0
