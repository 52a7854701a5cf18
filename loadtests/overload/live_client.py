"""The client: sends every request at its time, and looks at the service's metrics meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import httpx
import orjson
from prometheus_client.parser import text_string_to_metric_families

from loadtests.overload.live_plan import CATEGORY, Plan
from loadtests.overload.live_stock import pair_of
from loadtests.overload.traffic import Arrival
from loadtests.overload.upstream import Capacity

MODEL = "fake-large"
PATIENCE_S = 30.0
"""After which a client gives up."""
TIMED_OUT = 0
_TOKENS = 5
# What the fake sends of so many tokens: role, tokens, end, usage, and the last event.
_EVENTS = _TOKENS + 4
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a client got: the status (TIMED_OUT: nothing in time), and when it was complete.

    `layer` that answered; `stored` is the pair whose stored answer it was, `age_s` that answer's.
    `decision` is what the service says about its decision, by name.
    """

    status: int
    seconds: float
    layer: str
    stored: int | None
    age_s: float
    decision: dict[str, str]


@dataclass(frozen=True, slots=True)
class Look:
    """The service's gauges `at` seconds after the first request; 0 where there is none yet."""

    at: float
    level: float
    queueing: float
    ttft_s: float
    error: float
    in_flight: float


@dataclass(frozen=True, slots=True)
class Seen:
    """All of a run, in the order of the arrivals, and the looks meanwhile."""

    replies: Sequence[Reply]
    looks: Sequence[Look]


def headers(one: Arrival, capacity: Capacity) -> dict[str, str]:
    """Return what tells the fake how long to take, and the service what it may do."""
    first_s = capacity.reading_s(one.prompt_tokens)
    rest_s = capacity.answer_s(one.prompt_tokens, one.answer_tokens) - first_s
    directives = (
        f"ttft-ms={first_s * 1e3:.3f};tokens={_TOKENS};tpot-ms={rest_s / _EVENTS * 1e3:.3f}"
    )
    return {
        "x-fake": directives,
        "x-cachemw-category": CATEGORY,
        "x-cachemw-explain": "1",
        "cache-control": "no-store",
    }


def body(text: str) -> dict[str, object]:
    """Return a request."""
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": text}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def replayed(url: str, plan: Plan) -> Seen:
    """Replay the plan in real time."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=400)
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S, limits=limits) as client:
        began = time.monotonic()
        looking = asyncio.create_task(_looks(client, began))
        tasks = []
        for one, text in zip(plan.arrivals, plan.texts, strict=True):
            await asyncio.sleep(max(0.0, began + one.at - time.monotonic()))
            sent = ask(client, text, headers(one, plan.capacity))
            tasks.append(asyncio.create_task(sent))
        replies = await asyncio.gather(*tasks)
        looking.cancel()
        looks: list[Look] = []
        with suppress(asyncio.CancelledError):
            looks = await looking
    return Seen(replies, looks)


async def ask(client: httpx.AsyncClient, text: str, more: dict[str, str]) -> Reply:
    """Send one request and read its answer to the end."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE_S):
            reply = await client.post("/v1/chat/completions", json=body(text), headers=more)
    except (TimeoutError, httpx.TransportError):
        return Reply(TIMED_OUT, time.monotonic() - began, "", None, 0.0, {})
    seconds = time.monotonic() - began
    said = reply.headers.get("x-cachemw-decision", "")
    parts = (part.partition("=") for part in said.split("; ") if part)
    return Reply(
        reply.status_code,
        seconds,
        reply.headers.get("x-cachemw-layer", ""),
        pair_of(streamed(reply.content)) if reply.status_code == 200 else None,
        float(reply.headers.get("age", 0.0)),
        {name: value for name, _, value in parts},
    )


def streamed(content: bytes) -> str:
    """Return the text of a stream of events."""
    lines = (line[6:] for line in content.split(b"\n") if line.startswith(b"data: {"))
    deltas = (choice["delta"] for line in lines for choice in orjson.loads(line)["choices"])
    return "".join(delta.get("content") or "" for delta in deltas)


async def _looks(client: httpx.AsyncClient, began: float) -> list[Look]:
    """Look until cancelled; what was seen is then returned."""
    found: list[Look] = []
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(_LOOK_S)
            with suppress(httpx.HTTPError):
                text = (await client.get("/metrics")).text
                found.append(look(text, time.monotonic() - began))
    return found


def look(text: str, at: float) -> Look:
    """Read what the metrics say of MODEL."""
    gauges: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("model") == MODEL:
                gauges[sample.name] = sample.value
    names = (
        "load_level",
        "upstream_queueing_ratio",
        "upstream_ttft_ema_seconds",
        "upstream_error_ema",
        "upstream_in_flight",
    )
    return Look(at, *(gauges.get(f"cachemw_{name}", 0.0) for name in names))
