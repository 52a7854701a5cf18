from __future__ import annotations

import httpx
import pytest

from loadtests.fake_upstream import FakeUpstream
from tests.support.servers import ServerThread, start_process, wait_until


def test_a_thread_serves_and_stops() -> None:
    with ServerThread(FakeUpstream()) as server:
        assert httpx.get(server.url + "/healthz").status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url + "/healthz")


def test_an_application_that_fails_to_start_is_an_error() -> None:
    async def broken(scope: object, receive: object, send: object) -> None:
        raise OSError("no disk")

    with pytest.raises(RuntimeError, match="failed to start"):
        ServerThread(broken).__enter__()


def test_a_process_is_ready_terminated_and_killed() -> None:
    args = ["-m", "loadtests.fake_upstream", "--port", "{port}"]
    with start_process(args) as server:
        assert httpx.get(server.url + "/v1/models").status_code == 200
        assert server.terminate() in {0, -15}
    with start_process(args) as server:
        assert server.kill() == -9


def test_a_process_that_ends_early_shows_its_output() -> None:
    with pytest.raises(RuntimeError, match="unrecognized"):
        start_process(["-m", "loadtests.fake_upstream", "--port", "{port}", "--nonsense"])


def test_waiting_is_bounded() -> None:
    with pytest.raises(TimeoutError, match="no miracle"):
        wait_until(lambda: False, timeout=0.01, what="miracle")
