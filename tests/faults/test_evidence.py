"""Two cachemw processes on one store learn from the same judgements, wherever they are given."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.faults.conftest import ADMIN, AUTH, Fleet, ask, only_if_cached
from tests.support.servers import ServerProcess, wait_until

ASKED = "How does photosynthesis work?"
PARAPHRASE = "How does photosynthesis actually work?"
CATEGORY = "factual"
CALIBRATED = "code"
# So many wrong ones in a row, and no right one, are too many for any category.
COMPLAINTS = 3


def test_what_one_learns_moves_the_threshold_at_both(
    fleet: Fleet, replicas: Callable[..., list[ServerProcess]], store: dict[str, Any]
) -> None:
    upstream = fleet.upstream()
    one, two = replicas(upstream, store)
    assert _import_right(one, score=0.93, count=400) == 400
    for server in (one, two):
        wait_until(lambda at=server: _calibrated(at), timeout=20, what="a proof")  # type: ignore[misc]
    assert _bar(one, CALIBRATED) == _bar(two, CALIBRATED)
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
    assert _calibrated(three)
    ask(three, ASKED)
    assert only_if_cached(three, PARAPHRASE).status_code == 504


def _complain(server: ServerProcess, ident: str) -> httpx.Response:
    body = {"id": ident, "score": 0}
    return httpx.post(server.url + "/cache/feedback", json=body, headers=AUTH, timeout=30)


def _import_right(server: ServerProcess, score: float, count: int) -> int:
    """Import judgements of pairs that were right; returns how many were taken."""
    found = re.search(r"verifier shipped \((\w+)\)", server.output())
    assert found is not None
    label = {"category": CALIBRATED, "score": score, "right": True, "source": "offline"}
    label |= {"scale": found[1]}
    now = time.time()
    lines = [json.dumps(label | {"at": now - number}) for number in range(count)]
    reply = httpx.post(
        server.url + "/cache/labels",
        content="\n".join(lines),
        headers=ADMIN | {"content-type": "application/x-ndjson"},
        timeout=30,
    )
    assert reply.status_code == 200, reply.text
    return int(reply.json()["imported"])


def _bar(server: ServerProcess, category: str = CATEGORY) -> dict[str, Any]:
    found = httpx.get(server.url + "/cache/categories", headers=ADMIN, timeout=30).json()
    bars: dict[str, dict[str, Any]] = {
        each["category"]: each["normal"] for each in found["categories"]
    }
    return bars[category]


def _calibrated(server: ServerProcess) -> bool:
    bar = _bar(server, CALIBRATED)
    return bar["origin"] == "calibrated" and float(bar["threshold"]) <= 0.93


def _withheld(server: ServerProcess) -> bool:
    bar = _bar(server)
    return (bar["threshold"], bar["errors"]) == (None, COMPLAINTS)
