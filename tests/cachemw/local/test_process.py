from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
import stat
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from cachemw.errors import ConfigError, UpstreamUnavailable
from cachemw.local.process import Backoff, LocalModelProcess, WorkerState

READY_WITHIN_S = 90.0
"""Generous: a loaded machine imports torch slowly, and waiting ends as soon as it is ready."""

FAKE_WORKER = """\
#!{python}
# Stands in for the interpreter: answers /healthz at the socket, or crashes as told by a file.
import pathlib, socket, sys
behaviour = pathlib.Path({behaviour!r}).read_text()
print("x" * 9000, file=sys.stderr)
print("last words", file=sys.stderr, flush=True)
if behaviour == "crash":
    sys.exit(3)
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[sys.argv.index("--uds") + 1])
server.listen()
if behaviour == "stubborn":
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    client, _ = server.accept()
    client.recv(4096)
    client.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-length: 0\\r\\nconnection: close\\r\\n\\r\\n")
    client.close()
"""

Make = Callable[..., LocalModelProcess]


@pytest.fixture
def fake_python(tmp_path: Path) -> Callable[[str], str]:
    """`fake_python(behaviour)` writes an executable that stands in for the worker."""

    def write(behaviour: str) -> str:
        told = tmp_path / "behaviour"
        told.write_text(behaviour)
        script = tmp_path / "python"
        script.write_text(FAKE_WORKER.format(python=sys.executable, behaviour=str(told)))
        script.chmod(0o700)
        return str(script)

    return write


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    made: list[LocalModelProcess] = []

    def making(model: str | Path = "none", **options: object) -> LocalModelProcess:
        process = LocalModelProcess(model, "tiny", runtime_dir=tmp_path, **options)  # type: ignore[arg-type]
        made.append(process)
        return process

    yield making
    for process in made:
        await process.aclose()


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie, dead but not yet reaped by its parent, does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110  another process changes it, nothing here could set an event
        await asyncio.sleep(0.01)


def states(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage().split(" (")[0].removeprefix("local model 'tiny' ")
        for record in caplog.records
        if record.name == "cachemw.local" and "wrote:" not in record.getMessage()
    ]


async def test_killed_worker_is_restarted_and_every_change_is_one_line(
    make: Make, tiny_model_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cachemw.local")
    process = make(tiny_model_dir, backoff=Backoff(first_s=0.01))
    await process.start()
    assert process.state is WorkerState.STARTING
    await process.wait_ready(READY_WITHIN_S)
    first = process.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: process.pid != first)
    await process.wait_ready(READY_WITHIN_S)
    second = process.pid
    assert second is not None
    await process.aclose()
    assert not alive(second)
    assert states(caplog) == ["starting", "ready", "died", "starting", "ready", "closed"]


async def test_the_socket_is_private_and_goes_with_the_process(
    make: Make, fake_python: Callable[[str], str]
) -> None:
    process = make(python=fake_python("serve"))
    directory = process.socket_path.parent
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    await process.start()
    await process.wait_ready(READY_WITHIN_S)
    assert process.socket_path.is_socket()
    await process.aclose()
    await process.aclose()
    assert not directory.exists()


async def test_crashes_back_off_and_show_the_bounded_end_of_stderr(
    make: Make, fake_python: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    delays: list[float] = []
    enough = asyncio.Event()
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        if seconds >= 1:  # a backoff; shorter ones are the readiness probe's
            delays.append(seconds)
            if len(delays) == 4:
                enough.set()
                await asyncio.Event().wait()
        await real_sleep(0)

    process = make(python=fake_python("crash"), backoff=Backoff(1, most_s=5), sleep=sleep)
    await process.start()
    await enough.wait()
    assert delays == [1, 2, 4, 5]
    assert process.state is WorkerState.DIED
    with pytest.raises(UpstreamUnavailable, match="died"):
        await process.wait_ready(0.01)
    crashes = [record for record in caplog.records if "wrote:" in record.getMessage()]
    assert len(crashes) == 4
    for crash in crashes:
        assert crash.levelno == logging.WARNING
        assert crash.getMessage().endswith("last words")
        assert len(crash.getMessage()) < 1000


async def test_a_long_healthy_life_resets_the_backoff(
    make: Make, fake_python: Callable[[str], str]
) -> None:
    delays: list[float] = []
    now = 0.0
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        if seconds >= 1:
            delays.append(seconds)
        await real_sleep(0)

    process = make(python=fake_python("serve"), backoff=Backoff(1), sleep=sleep, clock=lambda: now)
    await process.start()
    for life_s in (0.0, 0.0, 100.0, 0.0):
        await process.wait_ready(READY_WITHIN_S)
        pid = process.pid
        assert pid is not None
        now += life_s
        os.kill(pid, signal.SIGKILL)
        await until(lambda killed=pid: process.pid != killed)  # type: ignore[misc]
    assert delays == [1, 2, 1, 2]


async def test_a_worker_that_ignores_sigterm_is_killed(
    make: Make, fake_python: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cachemw.local.process.TERMINATE_WITHIN_S", 0.1)
    process = make(python=fake_python("stubborn"))
    await process.start()
    await process.wait_ready(READY_WITHIN_S)
    pid = process.pid
    assert pid is not None
    await process.aclose()
    assert not alive(pid)


async def test_a_missing_interpreter_is_an_error_at_the_start(make: Make, tmp_path: Path) -> None:
    process = make(python=str(tmp_path / "nothing"))
    with pytest.raises(FileNotFoundError):
        await process.start()


async def test_an_interpreter_that_goes_missing_later_is_tried_again(
    make: Make, fake_python: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    python = fake_python("crash")
    remove = functools.partial(Path(python).unlink, missing_ok=True)
    tries = 0
    enough = asyncio.Event()
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        nonlocal tries
        if seconds >= 1:
            tries += 1
            remove()
            if tries == 3:
                enough.set()
        await real_sleep(0)

    process = make(python=python, backoff=Backoff(1), sleep=sleep)
    await process.start()
    await enough.wait()
    assert "cannot be started" in caplog.text


async def test_starts_once(make: Make, fake_python: Callable[[str], str]) -> None:
    process = make(python=fake_python("serve"))
    await process.start()
    with pytest.raises(RuntimeError, match="starting"):
        await process.start()


def test_a_directory_too_deep_for_a_socket_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    with pytest.raises(ConfigError, match="too long"):
        LocalModelProcess("none", "tiny", runtime_dir=deep)
    assert not list(deep.iterdir())


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")
async def test_the_worker_exits_when_its_parent_is_killed(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    parent_code = textwrap.dedent(
        f"""
        import asyncio
        from pathlib import Path
        from cachemw.local.process import LocalModelProcess

        async def main():
            process = LocalModelProcess(
                {str(tiny_model_dir)!r}, "tiny", runtime_dir=Path({str(tmp_path)!r})
            )
            await process.start()
            await process.wait_ready({READY_WITHIN_S})
            print(process.pid, flush=True)
            await asyncio.Event().wait()

        asyncio.run(main())
        """
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", parent_code, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    worker = int(await parent.stdout.readline())
    assert alive(worker)
    parent.kill()
    await parent.wait()
    await until(lambda: not alive(worker))
