"""Exact hits under load: cachemw beside a bare ASGI application that replies the same bytes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import orjson

from loadtests.http import wrk
from loadtests.http.bare import write_reply
from loadtests.http.client import Connection, Response, connections
from loadtests.http.effort import Effort
from loadtests.http.nginx import nginx
from loadtests.http.rig import Rig
from loadtests.http.servers import free_port, python, serving
from loadtests.http.shots import Chat, require
from loadtests.http.wrk import Load
from loadtests.report import Bar, Section, at_least
from loadtests.stats import median, median_ratio

CONNECTIONS = (1, 8, 32, 128)
JUDGED = 32
"""The number of connections that the bar is about."""
BAR = 0.5
_FLOOR, _SUBJECT = "bare ASGI", "cachemw, exact hit"
_SAMPLE_S = 0.1
_CHAT = Chat("How do I reset the password of my online bank account today, please?")

Runs = Mapping[tuple[str, int], list[Load]]


async def measure(rig: Rig, effort: Effort) -> Section:
    """Run wrk against the subjects in turn, round after round."""
    script = rig.scratch / "wrk.lua"
    wrk.write_script(script, orjson.dumps(_CHAT.body))
    with ExitStack() as stack:
        cachemw = stack.enter_context(rig.cachemw("exact", rig.cores.server))
        hit = await _stored(cachemw.port)
        ports = {_SUBJECT: cachemw.port, _FLOOR: _start_bare(stack, rig, hit)}
        static = stack.enter_context(nginx(rig.scratch, hit.headers, hit.body, rig.cores.server))
        if static is not None:
            ports["nginx, static"] = static.port
        runs = await _runs(rig, effort, ports, script)
    return section(runs, list(ports), effort)


async def _stored(port: int) -> Response:
    """Have the answer stored, and return it as a hit."""
    async with connections(port, 1) as (connection,):
        require(_CHAT.shot("upstream"), await connection.request(_CHAT.raw))
        hit = await connection.request(_CHAT.raw)
        require(_CHAT.shot("exact"), hit)
        return hit


def _start_bare(stack: ExitStack, rig: Rig, hit: Response) -> int:
    reply = rig.scratch / "reply.json"
    write_reply(reply, hit.headers, hit.body)
    port = free_port()
    command = python("-m", "loadtests.http.bare", "--port", str(port), "--reply", str(reply))
    return stack.enter_context(serving(command, port, rig.cores.server)).port


async def _runs(rig: Rig, effort: Effort, ports: Mapping[str, int], script: Path) -> Runs:
    runs: dict[tuple[str, int], list[Load]] = defaultdict(list)
    for round_ in range(effort.rounds):
        # The other way round every second time: what comes first is not always the same.
        order = list(ports) if round_ % 2 else list(reversed(list(ports)))
        for count in CONNECTIONS:
            for name in order:
                runs[name, count].append(
                    await _checked(rig, ports[name], script, count, effort.wrk_seconds)
                )
    return runs


async def _checked(rig: Rig, port: int, script: Path, count: int, seconds: int) -> Load:
    """Run wrk while a client of ours looks at a reply every now and then."""
    async with connections(port, 1) as (connection,):
        sampler = asyncio.create_task(_sample(connection))
        try:
            return await wrk.wrk(port, script, count, seconds, rig.cores.load)
        finally:
            sampler.cancel()
            await asyncio.wait([sampler])
            if not sampler.cancelled():
                sampler.result()  # raises what it found wrong


async def _sample(connection: Connection) -> None:
    shot = _CHAT.shot("exact")
    while True:
        require(shot, await connection.request(shot.raw))
        await asyncio.sleep(_SAMPLE_S)


def section(runs: Runs, names: list[str], effort: Effort) -> Section:
    """Return the table of all runs and the bar."""
    rows = [_row(runs, name, count) for count in CONNECTIONS for name in names]
    about = (
        f"`wrk -t1`, {effort.rounds} rounds of {effort.wrk_seconds} s each in turn; server on one "
        "core, wrk on the other. The bare application parses the JSON body and replies the bytes "
        "and headers of cachemw's hit, under the same uvicorn settings. Medians over rounds; the "
        "ratio is the median of the rounds' ratios. A second client checks replies meanwhile."
    )
    head = ("connections, subject", "req/s", "p50 ms", "p99 ms", "ratio to bare", "of each round")
    return Section("Exact hit, throughput", about, head, rows, [_bar(runs)])


def _row(runs: Runs, name: str, count: int) -> tuple[str, ...]:
    subject = [load.per_second for load in runs[name, count]]
    floor = [load.per_second for load in runs[_FLOOR, count]]
    return (
        f"{count}, {name}",
        f"{median(subject):.0f}",
        f"{median([load.p50_ms for load in runs[name, count]]):.2f}",
        f"{median([load.p99_ms for load in runs[name, count]]):.2f}",
        f"{median_ratio(subject, floor):.2f}",
        " ".join(f"{s / f:.2f}" for s, f in zip(subject, floor, strict=True)),
    )


def _bar(runs: Runs) -> Bar:
    subject = [load.per_second for load in runs[_SUBJECT, JUDGED]]
    floor = [load.per_second for load in runs[_FLOOR, JUDGED]]
    what = f"exact hit / bare ASGI, {JUDGED} connections"
    return at_least(what, median_ratio(subject, floor), BAR)
