"""Two cachemw processes on one store learn from the same judgements, wherever they are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from tests.faults.conftest import ADMIN, AUTH, Fleet, ask, only_if_cached
from tests.support.servers import ServerProcess, wait_until

ASKED = "How does photosynthesis work?"
PARAPHRASE = "How does photosynthesis actually work?"
CATEGORY = "factual"
# So many wrong ones in a row, and no right one, are too many for any category.
COMPLAINTS = 3


def test_complaints_at_one_move_the_threshold_at_both(
    fleet: Fleet, replicas: Callable[..., list[ServerProcess]], store: dict[str, Any]
) -> None:
    upstream = fleet.upstream()
    one, two = replicas(upstream, store)
    ask(one, ASKED)
    wait_until(
        lambda: only_if_cached(one, PARAPHRASE).status_code == 200, timeout=20, what="semantic hit"
    )
    hits = [only_if_cached(one, PARAPHRASE) for _ in range(COMPLAINTS)]
    assert {hit.headers["x-cachemw-category"] for hit in hits} == {CATEGORY}
    before = [_bar(server) for server in (one, two)]
    assert before[0]["threshold"] is not None
    assert before[0] == before[1]
    # Served by the one and judged at the other; the first complaint removes the entry.
    said = [_complain(two, hit.json()["id"]) for hit in hits]
    assert [each.json()["removed"] for each in said] == [True, False, False]
    for server in (one, two):
        wait_until(lambda at=server: _withheld(at), timeout=20, what="a threshold")  # type: ignore[misc]
    assert _complain(one, hits[0].json()["id"]).status_code == 404
    # Nor is it served again by a process that was not there.
    (three,) = replicas(upstream, store, count=1)
    wait_until(lambda: _withheld(three), timeout=20, what="a threshold after a restart")
    ask(three, ASKED)
    assert only_if_cached(three, PARAPHRASE).status_code == 504


def _complain(server: ServerProcess, ident: str) -> httpx.Response:
    body = {"id": ident, "score": 0}
    return httpx.post(server.url + "/cache/feedback", json=body, headers=AUTH, timeout=30)


def _bar(server: ServerProcess) -> dict[str, Any]:
    found = httpx.get(server.url + "/cache/categories", headers=ADMIN, timeout=30).json()
    bars: dict[str, dict[str, Any]] = {
        each["category"]: each["normal"] for each in found["categories"]
    }
    return bars[CATEGORY]


def _withheld(server: ServerProcess) -> bool:
    bar = _bar(server)
    return (bar["threshold"], bar["errors"]) == (None, COMPLAINTS)
