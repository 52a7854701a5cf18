"""Two cachemw processes on one store: what one knows the other learns, and one may die."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.faults.conftest import ADMIN, AUTH, Fleet, ask, chat, only_if_cached
from tests.faults.test_kill import Load
from tests.support.servers import ServerProcess, wait_until

QUESTION = "How do I reset my account password?"
PARAPHRASE = "How can I reset my account password?"


def test_what_one_stores_the_other_serves_within_a_second(
    fleet: Fleet, replicas: Callable[..., list[ServerProcess]], store: dict[str, Any]
) -> None:
    upstream = fleet.upstream()
    one, two = replicas(upstream, store)
    stored = ask(one, QUESTION).json()
    assert ask(two, QUESTION).headers["x-cachemw-layer"] == "exact"
    upstream.kill()

    def found() -> bool:
        return only_if_cached(two, PARAPHRASE).status_code == 200

    wait_until(found, timeout=20, what="semantic hit at the other process")
    reply = only_if_cached(two, PARAPHRASE)
    assert reply.headers["x-cachemw-layer"] == "semantic"
    assert reply.json()["choices"] == stored["choices"]


def test_what_one_deletes_the_other_no_longer_serves(
    fleet: Fleet, replicas: Callable[..., list[ServerProcess]], store: dict[str, Any]
) -> None:
    upstream = fleet.upstream()
    one, two = replicas(upstream, store)
    ask(one, QUESTION)
    entry = ask(two, QUESTION).headers["x-cachemw-entry"]  # in the memory of both
    wait_until(lambda: only_if_cached(two, PARAPHRASE).status_code == 200, timeout=20, what="hit")
    gone = httpx.delete(f"{one.url}/cache/entries/{entry}", headers=ADMIN)
    assert gone.status_code in (200, 204)
    assert only_if_cached(one, QUESTION).status_code == 504
    wait_until(
        lambda: only_if_cached(two, QUESTION).status_code == 504, timeout=20, what="invalidation"
    )
    assert only_if_cached(two, PARAPHRASE).status_code == 504
    three = replicas(upstream, store, count=1)[0]  # a restart does not bring it back
    assert only_if_cached(three, QUESTION).status_code == 504
    assert only_if_cached(three, PARAPHRASE).status_code == 504


def test_one_killed_under_load_takes_no_acknowledged_answer_with_it(
    fleet: Fleet, replicas: Callable[..., list[ServerProcess]], store: dict[str, Any]
) -> None:
    upstream = fleet.upstream("--tokens", "60")
    one, two = replicas(upstream, store, mode="exact")
    numbers = iter(range(1_000_000))
    at_one, at_two = Load(one.url, numbers), Load(two.url, numbers)
    wait_until(lambda: len(at_one.acknowledged) >= 100, timeout=60, what="load")
    one.kill()
    at_one.join()
    before = len(at_two.acknowledged)
    wait_until(lambda: len(at_two.acknowledged) > before + 50, timeout=60, what="load goes on")
    upstream.kill()
    expected = at_one.acknowledged | at_two.acknowledged
    with httpx.Client(base_url=two.url, headers=AUTH, timeout=30.0) as client:
        for text, choices in expected.items():
            reply = client.post("/v1/chat/completions", json=chat(text, "vary"))
            assert reply.headers["x-cachemw-layer"] == "exact", text
            assert reply.json()["choices"] == choices


def test_identical_requests_at_two_replicas_share_one_call(
    fleet: Fleet, replicas: Callable[..., list[ServerProcess]], redis_store: dict[str, Any]
) -> None:
    """Half of them stream."""
    upstream = fleet.upstream("--ttft-ms", "700")
    one, two = replicas(upstream, redis_store, mode="exact")
    replies: list[httpx.Response] = []

    def run(server: ServerProcess, number: int) -> None:
        replies.append(ask(server, QUESTION, stream=number % 2 == 0))

    threads = [
        threading.Thread(target=run, args=(server, number))
        for number in range(4)
        for server in (one, two)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [reply.status_code for reply in replies] == [200] * 8
    assert _calls(upstream) == 1
    assert sum("collapsed" in reply.headers["cache-status"] for reply in replies) == 7


def test_a_replica_that_dies_in_a_shared_call_is_taken_over_from(
    fleet: Fleet, replicas: Callable[..., list[ServerProcess]], redis_store: dict[str, Any]
) -> None:
    upstream = fleet.upstream("--ttft-ms", "1500")
    one, two = replicas(upstream, redis_store, mode="exact", cache={"lease_seconds": 1.0})
    first = threading.Thread(target=_ask_in_vain, args=(one,))
    first.start()
    wait_until(lambda: _calls(upstream) == 1, timeout=20, what="first call")
    replies: list[httpx.Response] = []
    second = threading.Thread(target=lambda: replies.append(ask(two, QUESTION)))
    second.start()
    one.kill()
    first.join(30)
    second.join(30)
    assert replies[0].status_code == 200
    assert _calls(upstream) == 2


def _ask_in_vain(server: ServerProcess) -> None:
    with pytest.raises(httpx.HTTPError):
        ask(server, QUESTION)


def _calls(upstream: ServerProcess) -> int:
    return int(sum(httpx.get(upstream.url + "/calls").json().values()))
