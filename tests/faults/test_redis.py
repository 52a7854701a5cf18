"""Redis paused, killed and restarted under load: nobody notices but the hit ratio.

How much time it costs is measured by `python -m loadtests.faults`; here only bounds that a loaded
machine keeps.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import httpx
import pytest

from loadtests.faults.load import PacedLoad, Results, questions
from tests.faults.conftest import AUTH, Fleet, ask
from tests.support.redis_server import RedisServer, need_redis
from tests.support.servers import ServerProcess, wait_until

# A request may meet a time limit of the store's or two, never Redis's own patience.
WORST_SECONDS = 8.0


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    need_redis()
    with RedisServer() as server:
        yield server


@pytest.fixture
def server(fleet: Fleet, redis: RedisServer) -> ServerProcess:
    upstream = fleet.upstream()
    # No memory tier: every request asks Redis.
    config = fleet.config(
        upstream.url,
        store={"kind": "redis", "url": redis.url, "get_seconds": 0.25},
        cache={"memory_bytes": 0},
    )
    return fleet.cachemw(config)


def load_while(server: ServerProcess, seconds: float, action: Callable[[], None]) -> Results:
    """Break something in the middle of a load, and return how its requests went."""

    async def run() -> Results:
        load = PacedLoad([server.port], 30.0, questions(Random(1), 20, 0.3), most=200)

        async def break_it() -> None:
            await asyncio.sleep(seconds / 3)
            await asyncio.to_thread(action)

        await asyncio.gather(load.run(seconds), break_it())
        load.close()
        return load.results

    return asyncio.run(run())


def check(results: Results) -> None:
    assert results.shots
    assert results.failed == 0
    assert max(results.seconds) < WORST_SECONDS


def store_up(server: ServerProcess) -> float:
    text = httpx.get(server.url + "/metrics").text
    (line,) = [row for row in text.splitlines() if row.startswith("cachemw_store_up ")]
    return float(line.split()[1])


def is_alive_and_ready(server: ServerProcess) -> bool:
    paths = ("/healthz", "/readyz")
    return all(httpx.get(server.url + path, timeout=5).status_code == 200 for path in paths)


def state_lines(server: ServerProcess) -> list[str]:
    """Return the changes of the store's state that were logged."""
    lines = [line for line in server.output().splitlines() if '"dependency":"store"' in line]
    return [json.loads(line)["message"] for line in lines]


def hits(server: ServerProcess, text: str) -> bool:
    return ask(server, text).headers["x-cachemw-layer"] == "exact"


def test_paused_and_resumed(server: ServerProcess, redis: RedisServer) -> None:
    ask(server, "before")
    wait_until(lambda: hits(server, "before"), what="hit")
    check(load_while(server, 4.0, redis.pause))
    assert is_alive_and_ready(server)
    assert store_up(server) == 0
    assert state_lines(server) == ["dependency failed"]
    redis.resume()
    # Back by itself, with what it had kept all the time.
    wait_until(lambda: hits(server, "before"), timeout=20, what="hit after the pause")
    ask(server, "after")
    wait_until(lambda: store_up(server) == 1, timeout=20, what="store up")
    assert state_lines(server) == ["dependency failed", "dependency is back"]


def test_killed_and_restarted(server: ServerProcess, redis: RedisServer) -> None:
    check(load_while(server, 4.0, redis.kill))
    assert is_alive_and_ready(server)
    assert store_up(server) == 0
    assert state_lines(server) == ["dependency failed"]
    redis.start()
    ask(server, "after")
    wait_until(lambda: hits(server, "after"), timeout=20, what="hit after the restart")
    wait_until(lambda: store_up(server) == 1, timeout=20, what="store up")


def test_feedback_waits_for_it_and_requests_do_not(
    server: ServerProcess, redis: RedisServer
) -> None:
    entry = ask(server, "judged").headers["x-cachemw-entry"]

    def judge(ident: str) -> httpx.Response:
        body = {"id": ident, "score": 0}
        return httpx.post(server.url + "/cache/feedback", json=body, headers=AUTH, timeout=30)

    redis.kill()
    for ident in (entry, "chatcmpl-of-a-hit"):
        refused = judge(ident)
        assert refused.status_code == 503, refused.text
        assert refused.headers["retry-after"] == "1"
    assert ask(server, "judged").headers["x-cachemw-layer"] == "upstream"
    redis.start()
    # What it held is gone, so that there is nothing to judge.
    wait_until(lambda: judge(entry).status_code == 404, timeout=20, what="feedback")


def test_away_from_the_start(fleet: Fleet, redis: RedisServer, tmp_path: Path) -> None:
    redis.kill()
    upstream = fleet.upstream()
    config = fleet.config(upstream.url, store={"kind": "redis", "url": redis.url})
    server = fleet.cachemw(config)  # ready without it
    assert ask(server, "question").status_code == 200
    assert store_up(server) == 0
    redis.start()
    ask(server, "question again")
    wait_until(lambda: hits(server, "question again"), timeout=20, what="hit")
    wait_until(lambda: store_up(server) == 1, timeout=20, what="store up")
