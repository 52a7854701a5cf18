"""Running wrk against a subject: what it cost, and whether its replies were what they must be."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from loadtests.http import wrk
from loadtests.http.client import connections
from loadtests.http.servers import cpu_seconds
from loadtests.http.shots import Shot, require
from loadtests.http.wrk import Load, NoReply
from loadtests.peers.effort import JUDGED
from loadtests.peers.subjects import Field, Subject
from loadtests.stats import median

_LONGER = 2
_TRIES = 3
_SETTLE_S = 0.1
_SETTLES = 50
_IDLE = 0.2


@dataclass(frozen=True, slots=True)
class Run:
    """One run of wrk: the CPU time and the upstream calls that a request cost."""

    load: Load
    cpu_us: float
    calls: float


@dataclass(frozen=True)
class Work:
    """What is asked of a subject under load.

    `body` with NUMBER or TASK in it makes every request of a run another one, and names the run.
    Before the run one of `probes` must be answered as it must be. `calls` is how many upstream
    calls a request must make, None where it is not known.
    """

    body: bytes
    headers: Mapping[str, str]
    probes: Sequence[Shot]
    calls: int | None


class Runs:
    """All runs of one section, by subject and number of connections."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, int], list[Run]] = defaultdict(list)

    def add(self, subject: Subject, number: int, run: Run) -> None:
        """Keep a run."""
        self._runs[subject.name, number].append(run)

    def rates(self, subject: Subject, number: int) -> list[float]:
        """Return the requests per second of all rounds."""
        return [run.load.per_second for run in self._runs[subject.name, number]]

    def calls(self, subject: Subject, number: int) -> float:
        """Return the upstream calls that a request cost, the median of all rounds."""
        return median([run.calls for run in self._runs[subject.name, number]])

    def row(self, subject: Subject, number: int) -> tuple[str, ...]:
        """Return medians over rounds."""
        runs = self._runs[subject.name, number]
        return (
            f"{number}, {subject.name}",
            f"{median([run.load.per_second for run in runs]):.0f}",
            f"{median([run.load.p50_ms for run in runs]):.2f}",
            f"{median([run.load.p99_ms for run in runs]):.2f}",
            f"{median([run.cpu_us for run in runs]):.0f}",
        )


async def run(field: Field, subject: Subject, number: int, work: Work, seconds: int) -> Run:
    """Measure; a time in which no reply came at all was too short, and a longer one is begun."""
    await _check(subject, work.probes)
    if subject.slow and number >= JUDGED:
        seconds *= _LONGER
    for attempt in range(_TRIES):
        try:
            return await _once(field, subject, number, work, seconds << attempt)
        except NoReply:
            await _settled(subject.server.pid, field.rig.upstream.pid)
            work = replace(work, body=work.body.replace(b"run ", b"other run "))
    return await _once(field, subject, number, work, seconds << _TRIES)


async def _once(field: Field, subject: Subject, number: int, work: Work, seconds: int) -> Run:
    """Run wrk, and check what the upstream has counted. Raises Incorrect, NoReply."""
    server, script = subject.server, field.rig.scratch / "wrk.lua"
    wrk.write_script(script, work.body, work.headers)
    calls, cpu = field.upstream_calls(), cpu_seconds(server.pid)
    load = await wrk.wrk(server.port, script, number, seconds, field.load_cores(subject))
    spent = cpu_seconds(server.pid) - cpu
    await _settled(server.pid, field.rig.upstream.pid)
    made = field.upstream_calls() - calls
    if work.calls is not None:
        field.require_calls(subject, calls, load.requests, work.calls)
    return Run(load, 1e6 * spent / load.requests, made / load.requests)


async def _settled(*pids: int) -> None:
    """Wait until servers are done with what wrk has left behind, or it would be the next one's."""
    for _ in range(_SETTLES):
        before = sum(map(cpu_seconds, pids))
        await asyncio.sleep(_SETTLE_S)
        if sum(map(cpu_seconds, pids)) - before < _IDLE * _SETTLE_S:
            return


async def _check(subject: Subject, probes: Sequence[Shot]) -> None:
    """Raise Incorrect unless one of the probes, asked in turn, has the right reply."""
    async with connections(subject.server.port, 1) as (connection,):
        for probe in probes[:-1]:
            if probe.check(await connection.request(probe.raw)) is None:
                return
        require(probes[-1], await connection.request(probes[-1].raw))
