"""Several workers on one port: what they count together, and what happens when one of them ends."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from loadtests.http.servers import children
from tests.faults.conftest import AUTH, Fleet, ask, chat
from tests.support.servers import ServerProcess, wait_until

SERVER = {"workers": 2, "drain_seconds": 0.3, "shutdown_seconds": 10.0}
URL = "/v1/chat/completions"


@pytest.fixture
def server(fleet: Fleet) -> ServerProcess:
    """Return two workers that both serve."""
    upstream = fleet.upstream()
    return two_workers(fleet, fleet.config(upstream.url, server=SERVER))


def two_workers(fleet: Fleet, config: Path) -> ServerProcess:
    server = fleet.cachemw(config)
    wait_until(lambda: len(workers(server)) == 2, timeout=60, what="two workers")
    wait_until(lambda: server.output().count("worker serves") == 2, timeout=60, what="two serving")
    return server


def workers(server: ServerProcess) -> list[int]:
    return [pid for pid in children(server.pid) if alive(pid)]


def alive(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


def figures(server: ServerProcess) -> dict[tuple[str, ...], float]:
    """Read /metrics over a connection of its own; samples by name and label values."""
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(httpx.get(server.url + "/metrics").text):
        for sample in family.samples:
            key = (sample.name, *sample.labels.values())
            assert key not in found, f"{key} twice"
            found[key] = sample.value
    return found


def of_requests(server: ServerProcess) -> tuple[float, float, float]:
    """Exact hits as counted: requests, the last bucket of their durations, and their number."""
    seen = figures(server)
    requests = sum(v for k, v in seen.items() if k[0] == "cachemw_requests_total" and "exact" in k)
    name = "cachemw_request_duration_seconds"
    return requests, seen[f"{name}_bucket", "exact", "+Inf"], seen[f"{name}_count", "exact"]


def ask_often(server: ServerProcess, times: int) -> None:
    """Ask the same, each time over another connection, so that both workers are asked."""
    for _ in range(times):
        assert ask(server, "Hello").headers["x-cachemw-layer"] == "exact"


def from_every_worker(server: ServerProcess, expected: float) -> None:
    """See the same sums whichever worker is asked: twenty connections reach both."""
    whole = (expected, expected, expected)
    wait_until(lambda: of_requests(server) == whole, timeout=10, what=f"{expected} counted")
    assert all(of_requests(server) == whole for _ in range(20))


def test_any_worker_gives_the_figures_of_all_also_of_one_that_was_killed(
    server: ServerProcess,
) -> None:
    ask(server, "Hello")
    ask_often(server, 40)
    from_every_worker(server, 40)
    before = workers(server)
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: server.output().count("worker serves") == 3, timeout=60, what="a new one")
    assert before[1] in workers(server)
    from_every_worker(server, 40)
    ask_often(server, 40)
    from_every_worker(server, 80)
    seen = figures(server)
    assert seen["cachemw_entries", "default"] == 1
    assert seen["cachemw_store_up",] == 1
    assert seen["cachemw_bytes", "store"] > 0
    assert seen.get(("cachemw_upstream_in_flight", "fake-large"), 0.0) == 0.0
    assert seen["cachemw_dependency_up", "upstream:fake"] == 1
    assert not [key for key in seen if "shared_bytes" in key[0] or "pid" in key]


def test_one_killed_after_the_other_the_service_goes_on(server: ServerProcess) -> None:
    ask(server, "Hello")
    for ending in range(2):
        killed = workers(server)[ending % 2]
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda killed=killed: not alive(killed), what="end of the worker")  # type: ignore[misc]
        assert ask(server, "Hello").status_code == 200
        expected = 3 + ending
        wait_until(
            lambda expected=expected: server.output().count("worker serves") == expected,  # type: ignore[misc]
            timeout=60,
            what="a new one",
        )
    assert server.output().count("worker died") == 2
    assert server.terminate(30) == 0


def test_a_stream_in_flight_is_finished(fleet: Fleet) -> None:
    upstream = fleet.upstream("--tpot-ms", "40", "--tokens", "40")
    server = two_workers(fleet, fleet.config(upstream.url, server=SERVER))
    pids = workers(server)
    body = chat("Hello", stream=True)
    with httpx.stream("POST", server.url + URL, json=body, headers=AUTH, timeout=30.0) as response:
        lines = response.iter_lines()
        next(lines)
        os.kill(server.pid, signal.SIGTERM)
        rest = [line for line in lines if line]
    assert rest[-1] == "data: [DONE]"
    assert server.wait(30) == 0
    assert not any(alive(pid) for pid in pids)
    assert "Traceback" not in server.output()
    assert not shared_directories(pids)


def test_ctrl_c_reaches_all_of_the_group_and_finishes_what_is_in_flight(fleet: Fleet) -> None:
    upstream = fleet.upstream("--tpot-ms", "40", "--tokens", "40")
    server = two_workers(fleet, fleet.config(upstream.url, server=SERVER))
    body = chat("Hello", stream=True)
    with httpx.stream("POST", server.url + URL, json=body, headers=AUTH, timeout=30.0) as response:
        lines = response.iter_lines()
        next(lines)
        os.killpg(server.pid, signal.SIGINT)
        assert [line for line in lines if line][-1] == "data: [DONE]"
    assert server.wait(30) == 0
    assert "Traceback" not in server.output()


def test_workers_end_with_their_supervisor(server: ServerProcess) -> None:
    pids = workers(server)
    assert shared_directories(pids)
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not any(alive(pid) for pid in pids), timeout=30, what="end of the workers")
    assert "Traceback" not in server.output()


def shared_directories(pids: list[int]) -> set[Path]:
    """Return the directories of figures that these processes have open."""
    found: set[Path] = set()
    for pid in pids:
        with suppress(FileNotFoundError):
            links = [link.readlink() for link in Path(f"/proc/{pid}/fd").iterdir()]
            found |= {link.parent for link in links if link.suffix == ".db"}
    return found


@pytest.fixture
def blocked(fleet: Fleet) -> Path:
    """Return a configuration whose store cannot be opened: found out by a worker alone."""
    (fleet.directory / "file").write_text("in the way")
    path = str(fleet.directory / "file" / "answers.sqlite3")
    return fleet.config("http://127.0.0.1:9", server=SERVER, store={"path": path})


@pytest.mark.timeout(300)  # torch is loaded twice
def test_a_local_model_is_loaded_once_for_all_workers(fleet: Fleet) -> None:
    upstreams = [{"name": "lab", "local": "lab", "default_model": "tiny"}]
    server = fleet.cachemw(fleet.config("", upstreams=upstreams, server=SERVER))
    wait_until(lambda: server.output().count("worker serves") == 2, timeout=60, what="two serving")
    assert models_of(server) == 1
    for number in range(8):  # each over a connection of its own
        assert ask_model(server, f"Say {number}") == 200
    [model] = [pid for pid in children(server.pid) if runs_model(pid)]
    os.kill(model, signal.SIGKILL)
    # A call that reaches it while it dies is not made anew: it might be what kills it.
    wait_until(lambda: "died" in server.output(), timeout=30, what="end of the model")
    status = ask_model(server, "Say it again")
    assert status == 200, server.output()
    assert models_of(server) == 1
    assert server.terminate(30) == 0


def ask_model(server: ServerProcess, text: str) -> int:
    body = chat(text, model="tiny", max_tokens=1)
    return httpx.post(server.url + URL, json=body, headers=AUTH, timeout=100.0).status_code


def models_of(server: ServerProcess) -> int:
    return sum(runs_model(pid) for pid in children(server.pid))


def runs_model(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return b"cachemw.local.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def test_workers_that_cannot_start_are_said_once(run_cachemw, fleet: Fleet) -> None:  # type: ignore[no-untyped-def]
    upstream = {"name": "x", "base_url": "http://127.0.0.1:9/v1", "api_key_env": "NOT_SET_ANYWHERE"}
    config = fleet.config("http://127.0.0.1:9", server=SERVER, upstreams=[upstream])
    done = run_cachemw("serve", "--config", str(config), "--port", "0")
    assert done.returncode == 2
    assert done.stderr.count("NOT_SET_ANYWHERE") == 1
    assert "Traceback" not in done.stderr


def test_a_store_that_cannot_be_opened_ends_the_start(run_cachemw, blocked: Path) -> None:  # type: ignore[no-untyped-def]
    done = run_cachemw("serve", "--config", str(blocked), "--port", "0")
    assert done.returncode not in (0, None)
    assert done.stderr.count("cannot start") == 1


def test_a_number_of_workers_that_is_none(run_cachemw, fleet: Fleet) -> None:  # type: ignore[no-untyped-def]
    config = fleet.config("http://127.0.0.1:9")
    done = run_cachemw("serve", "--config", str(config), "--workers", "0")
    assert done.returncode == 2
    assert "--workers" in done.stderr
    assert "Traceback" not in done.stderr
