"""Exact hits under load: cachemw beside a bare ASGI application that replies the same bytes."""

from __future__ import annotations

import asyncio
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from loadtests.http import wrk
from loadtests.http.bare import write_reply
from loadtests.http.client import Connection, Response, connections
from loadtests.http.effort import Effort
from loadtests.http.nginx import nginx
from loadtests.http.rig import Rig
from loadtests.http.servers import Server, cpu_seconds, free_port, python, serving
from loadtests.http.shots import Chat, require
from loadtests.http.wrk import Load
from loadtests.report import Bar, Section, at_least
from loadtests.stats import median, median_ratio

CONNECTIONS = (1, 8, 32, 128)
JUDGED = 32
"""The number of connections that the bar is about."""
BAR = 0.6
_TITLE = "Exact hit, throughput"
_FLOOR, _SUBJECT = "bare ASGI", "cachemw, exact hit"
_SAMPLE_S = 0.1
CHAT = Chat("How do I reset the password of my online bank account today, please?")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of wrk, and what it cost the server."""

    load: Load
    cpu_us: float

    @property
    def per_second(self) -> float:
        """Requests per second."""
        return self.load.per_second


Runs = Mapping[tuple[str, int], list[Run]]


async def measure(rig: Rig, effort: Effort) -> Section:
    """Run wrk against the subjects in turn, round after round."""
    if shutil.which("wrk") is None:
        return Section(_TITLE, "", ("not measured",), [("wrk is not installed",)])
    script = rig.scratch / "wrk.lua"
    wrk.write_script(script, orjson.dumps(CHAT.body))
    with ExitStack() as stack:
        cachemw = stack.enter_context(rig.cachemw("exact", rig.cores.server))
        hit = await stored(cachemw.port)
        floor = stack.enter_context(bare(rig, hit, rig.cores.server))
        servers = {_SUBJECT: cachemw, _FLOOR: floor}
        static = stack.enter_context(nginx(rig.scratch, hit.headers, hit.body, rig.cores.server))
        if static is not None:
            servers["nginx, static"] = static
        runs = await _runs(rig, effort, servers, script)
    return section(runs, list(servers), effort)


async def stored(port: int) -> Response:
    """Have the answer stored, and return it as a hit."""
    async with connections(port, 1) as (connection,):
        require(CHAT.shot("upstream"), await connection.request(CHAT.raw))
        hit = await connection.request(CHAT.raw)
        require(CHAT.shot("exact"), hit)
        return hit


@contextmanager
def bare(rig: Rig, hit: Response, on: frozenset[int], workers: int = 1) -> Iterator[Server]:
    """Run the bare application that replies what `hit` has."""
    port = free_port()
    reply = rig.scratch / f"reply-{port}.json"
    write_reply(reply, hit.headers, hit.body)
    command = python("-m", "loadtests.http.bare", "--port", str(port), "--reply", str(reply))
    with serving([*command, "--workers", str(workers)], port, on) as server:
        yield server


async def _runs(rig: Rig, effort: Effort, servers: Mapping[str, Server], script: Path) -> Runs:
    runs: dict[tuple[str, int], list[Run]] = defaultdict(list)
    for round_ in range(effort.rounds):
        # The other way round every second time: what comes first is not always the same.
        order = list(servers) if round_ % 2 else list(reversed(list(servers)))
        for count in CONNECTIONS:
            for name in order:
                runs[name, count].append(
                    await _checked(rig, servers[name], script, count, effort.wrk_seconds)
                )
    return runs


async def _checked(rig: Rig, server: Server, script: Path, count: int, seconds: int) -> Run:
    """Run wrk while a client of ours looks at a reply every now and then."""
    async with connections(server.port, 1) as (connection,):
        sampler = asyncio.create_task(_sample(connection))
        try:
            before = cpu_seconds(server.pid)
            load = await wrk.wrk(server.port, script, count, seconds, rig.cores.load)
            spent = cpu_seconds(server.pid) - before
        finally:
            sampler.cancel()
            await asyncio.wait([sampler])
            if not sampler.cancelled():
                sampler.result()  # raises what it found wrong
    return Run(load, 1e6 * spent / load.requests)


async def _sample(connection: Connection) -> None:
    shot = CHAT.shot("exact")
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
        "ratio is the median of the rounds' ratios. A second client checks replies meanwhile. The "
        "CPU time is the server's; it moves less than the rate when others use the machine."
    )
    head = (
        "connections, subject",
        "req/s",
        "p50 ms",
        "p99 ms",
        "CPU µs/request",
        "ratio to bare",
        "of each round",
    )
    return Section(_TITLE, about, head, rows, [_bar(runs)])


def _row(runs: Runs, name: str, count: int) -> tuple[str, ...]:
    made = runs[name, count]
    subject = [run.per_second for run in made]
    floor = [run.per_second for run in runs[_FLOOR, count]]
    return (
        f"{count}, {name}",
        f"{median(subject):.0f}",
        f"{median([run.load.p50_ms for run in made]):.2f}",
        f"{median([run.load.p99_ms for run in made]):.2f}",
        f"{median([run.cpu_us for run in made]):.1f}",
        f"{median_ratio(subject, floor):.2f}",
        " ".join(f"{s / f:.2f}" for s, f in zip(subject, floor, strict=True)),
    )


def _bar(runs: Runs) -> Bar:
    subject = [run.per_second for run in runs[_SUBJECT, JUDGED]]
    floor = [run.per_second for run in runs[_FLOOR, JUDGED]]
    what = f"exact hit / bare ASGI, {JUDGED} connections"
    return at_least(what, median_ratio(subject, floor), BAR)
