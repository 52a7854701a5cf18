"""One run: a store of its own, the upstream, the service, the client."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import Bar, CategoryState
from cachemw_policies.labels import Label
from cachemw_policies.thresholds import CALIBRATED

from loadtests.http.servers import Server, cores, free_port, python, serving
from loadtests.http.subject import cachemw, upstream_section
from loadtests.overload.live_client import PATIENCE_S, Seen, ask, headers, replayed
from loadtests.overload.live_plan import CATEGORY, Plan
from loadtests.overload.live_stock import Template, documents, fill, only_document, policy_file
from loadtests.overload.traffic import NOTHING_NEAR, Arrival
from loadtests.overload.upstream import Capacity
from loadtests.questions import Vectors

_ADMIN_TOKEN = "overload-admin-token"
_WARM_UP = 12
_LEARNT_WITHIN_S = 60.0
# The fill, the start of the service and the warm-up come before the first request.
_START_S = 15.0


@dataclass(frozen=True, slots=True)
class Stock:
    """What every run's store is filled with, and the models it uses."""

    template: Template
    policy: CategoryPolicy
    labels: Sequence[Label]
    models: Path


@dataclass(frozen=True, slots=True)
class Run:
    """What was seen, the thresholds in force, and the load average before and after."""

    seen: Seen
    state: CategoryState
    stored: int
    busy: tuple[float, float]


def config(upstream: Server, folder: Path, slots: int, *, adapts: bool) -> dict[str, Any]:
    """Return the service's configuration.

    The machine is shared, so that time limits that are meant for a free one are wide; retries and
    the breaker are off, as in the simulation.
    """
    section = upstream_section(upstream) | {
        "capacity": slots,
        "connections": 1000,
        "retries": 0,
        "breaker_failures": 1_000_000,
    }
    return {
        "mode": "full",
        "cache_dir": str(folder),
        "upstreams": [section],
        "categories": {"file": str(folder / "policies.yaml")},
        "semantic": {"verify_seconds": 1.0, "search_seconds": 1.0, "snapshot_seconds": 0.0},
        "embedder": {"max_wait_seconds": 2.0},
        "store": {"kind": "sqlite", "path": str(folder / "answers.sqlite3"), "get_seconds": 1.0},
        "adaptation": {"enabled": adapts},
        "admin": {"token_sha256": sha256(_ADMIN_TOKEN.encode()).hexdigest()},
        "logs": {"level": "warning"},
    }


async def template(folder: Path, models: Path, policy: CategoryPolicy) -> Template:
    """Have the service store one answer, to learn where it puts them."""
    with _service(folder, models, policy, Capacity(), adapts=False) as server:
        async with httpx.AsyncClient(base_url=_url(server), timeout=PATIENCE_S) as client:
            more = {"x-cachemw-category": CATEGORY}
            reply = await ask(client, "What is a good way to learn to juggle?", more)
            if reply.status != 200:
                raise RuntimeError(f"status {reply.status} to the first request")
            await asyncio.sleep(2.0)
    return await only_document(folder / "answers.sqlite3")


async def run(
    folder: Path,
    plan: Plan,
    vectors: Vectors,
    stock: Stock,
    warm_up: Sequence[str],
    *,
    adapts: bool,
) -> Run:
    """Fill a store, start everything, replay the plan."""
    found = documents(plan, vectors, stock.template, stock.policy, time.time() + _START_S)
    stored = await fill(folder / "answers.sqlite3", found, stock.labels)
    with _service(folder, stock.models, stock.policy, plan.capacity, adapts=adapts) as server:
        state = await _learnt(_url(server))
        await _warmed(_url(server), warm_up[:_WARM_UP], plan.capacity)
        before = os.getloadavg()[0]
        seen = await replayed(_url(server), plan)
        return Run(seen, state, stored, (before, os.getloadavg()[0]))


@contextmanager
def _service(
    folder: Path, models: Path, policy: CategoryPolicy, capacity: Capacity, *, adapts: bool
) -> Iterator[Server]:
    """Run the service on an upstream of this capacity, in a folder with links to the models."""
    for model in models.iterdir():
        if model.is_dir() and not (folder / model.name).exists():
            (folder / model.name).symlink_to(model)
    policy_file(folder / "policies.yaml", policy)
    port, everywhere = free_port(), cores().all
    slots, waiting = str(capacity.slots), str(capacity.waiting)
    command = python(
        *("-m", "loadtests.fake_upstream", "--port", str(port)),
        *("--slots", slots, "--waiting", waiting),
    )
    with serving(command, port, everywhere) as upstream:
        settings = config(upstream, folder, capacity.slots, adapts=adapts)
        with cachemw(settings, folder, "cachemw", everywhere, {"OMP_NUM_THREADS": "1"}) as server:
            yield server


async def _learnt(url: str) -> CategoryState:
    """Return both thresholds as soon as they are calibrated and stay the same."""
    token = {"authorization": f"Bearer {_ADMIN_TOKEN}"}
    last = None
    async with httpx.AsyncClient(base_url=url, headers=token, timeout=PATIENCE_S) as client:
        for _ in range(int(_LEARNT_WITHIN_S)):
            shown = (await client.get("/cache/categories")).raise_for_status().json()["categories"]
            (one,) = (each for each in shown if each["category"] == CATEGORY)
            state = CategoryState(Bar(**one["normal"]), Bar(**one["overload"]))
            origins = {state.normal.origin, state.overload.origin}
            if origins == {CALIBRATED} and state == last:
                return state
            last = state
            await asyncio.sleep(1.0)
    raise RuntimeError(f"the thresholds are not calibrated: {last}")


async def _warmed(url: str, texts: Sequence[str], capacity: Capacity) -> None:
    """Ask in calm, so that the code is warm and the usual time to the first token is known."""
    usual = headers(Arrival(0.0, 1000, 200, NOTHING_NEAR, 0.0), capacity)
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S) as client:
        for text in texts:
            await ask(client, text, usual)


def _url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"
