"""Rates and latencies under wrk: exact hits, semantic hits and misses."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice

import orjson

from loadtests.http import wrk
from loadtests.http.client import Response, connections
from loadtests.http.exact import CHAT
from loadtests.http.servers import cpu_seconds
from loadtests.http.shots import Chat, Shot, questions, require, wrong_layer
from loadtests.http.wrk import NUMBER, Load, NoReply
from loadtests.peers.effort import CONNECTIONS, JUDGED, Effort
from loadtests.peers.subjects import Field, Subject, Variant
from loadtests.report import Bar, Section, at_least
from loadtests.stats import median, median_ratio

BARE_BAR = 0.6
LITELLM_BAR = 100.0
_LONGER = 2
_TRIES = 3
_SETTLE_S = 0.1
_SETTLES = 200
_IDLE = 0.2
_EXACT = {"x-cachemw-mode": "exact"}
_HEAD = ("connections, subject", "req/s", "p50 ms", "p99 ms", "CPU µs/request")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of wrk: the CPU time and the upstream calls that a request cost."""

    load: Load
    cpu_us: float
    calls: float


@dataclass(frozen=True)
class Work:
    """What is asked of a subject under load.

    `body` with NUMBER in it makes every request of a run another one, and names the run. The reply
    to `probe` is checked before the run. `calls` is how many upstream calls a request must make,
    None where it is not known.
    """

    body: bytes
    headers: Mapping[str, str]
    probe: Shot
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


async def exact(field: Field, effort: Effort) -> Section:
    """Measure exact hits of everything that caches, beside the bare applications."""
    floors, cachemw, peers = field.bare, field.cachemw, field.litellm
    subjects = [*floors.values(), *cachemw.values(), *peers.values()]
    for subject in subjects:
        await _prime(subject)
    runs = Runs()
    for subject, number in _turns(subjects, effort.hit_rounds):
        work = Work(orjson.dumps(CHAT.body), {}, CHAT.shot(subject.layer("exact")), calls=0)
        runs.add(subject, number, await _run(field, subject, number, work, effort.seconds))
    about = (
        f"`wrk -t1`, {effort.hit_rounds} rounds of {effort.seconds} s in which all subjects take "
        "turns; medians over rounds, ratios are medians of the rounds' ratios. One worker runs on "
        "one core and wrk, Redis and the upstream on the other. Two workers and wrk share both "
        "cores, and so does the bare application with two. The bare one parses the JSON body and "
        "replies the bytes of cachemw's hit. No hit made an upstream call, by the upstream's own "
        "count. CPU time is the subject's, without Redis's."
    )
    rows = []
    for number in CONNECTIONS:
        for subject in subjects:
            floor = floors[subject.workers]
            ratio = median_ratio(runs.rates(subject, number), runs.rates(floor, number))
            rows.append((*runs.row(subject, number), f"{ratio:.3f}"))
    bars = exact_bars(runs, field)
    return Section("Exact hit", about, (*_HEAD, "ratio to bare"), rows, bars)


async def _prime(subject: Subject) -> None:
    """Have the answer stored where it is not yet: by each worker, on whichever it falls."""
    async with connections(subject.server.port, 8) as pool:
        for connection in (*pool, *pool):
            await connection.request(CHAT.raw)


def exact_bars(runs: Runs, field: Field) -> list[Bar]:
    """Return the bars of exact hits: beside the bare application, and beside LiteLLM."""
    return _bare_bars(runs, field) + _litellm_bars(runs, field)


def _bare_bars(runs: Runs, field: Field) -> list[Bar]:
    bars = []
    for variant, subject in field.cachemw.items():
        if variant.memory:
            rates, floor = runs.rates(subject, JUDGED), field.bare[variant.workers]
            ratio = median_ratio(rates, runs.rates(floor, JUDGED))
            what = f"exact hit, {subject.name} / bare, {JUDGED} connections"
            bars.append(at_least(what, ratio, BARE_BAR))
    return bars


def _litellm_bars(runs: Runs, field: Field) -> list[Bar]:
    """Return cachemw with one worker beside LiteLLM with one, over the same kind of cache."""
    bars = []
    for cache, store in (("memory", "SQLite"), ("Redis", "Redis")):
        subject, peer = field.cachemw.get(Variant(store)), field.litellm.get(cache)
        if subject is not None and peer is not None:
            ratio = median_ratio(runs.rates(subject, JUDGED), runs.rates(peer, JUDGED))
            what = f"exact hit, {subject.name} / {peer.name}, {JUDGED} connections"
            bars.append(at_least(what, ratio, LITELLM_BAR))
    return bars


async def misses(field: Field, effort: Effort) -> Section:
    """Measure requests that all go to the upstream."""
    cachemw = [subject for variant, subject in field.cachemw.items() if variant.memory]
    subjects = [*field.plain.values(), *cachemw, *field.litellm.values()]
    asked = questions()
    runs, serial = Runs(), count()
    for subject, number in _turns(subjects, effort.rounds):
        body = orjson.dumps(Chat(f"Which one is {NUMBER} of the run {next(serial)}?").body)
        probe = Chat(f"probe: {next(asked)}", headers=_EXACT).shot(subject.layer("upstream"))
        work = Work(body, _EXACT, probe, calls=1)
        runs.add(subject, number, await _run(field, subject, number, work, effort.seconds))
    about = (
        f"{effort.rounds} rounds of {effort.seconds} s; every request is a new one, in mode exact "
        "(LiteLLM's cache knows no other), the upstream answers at once from the core of wrk. The "
        "upstream's count shows a call for every request. At many connections the upstream is the "
        "limit."
    )
    rows = [runs.row(subject, number) for number in CONNECTIONS for subject in subjects]
    return Section("Miss", about, _HEAD, rows)


async def semantic(field: Field, effort: Effort) -> Section:
    """Measure new questions that find a near one."""
    subjects = [subject for variant, subject in field.cachemw.items() if variant.memory]
    stored = list(islice(questions(), effort.populate))
    for subject in subjects:
        await _populate(subject, stored)
    runs, serial = Runs(), count()
    for subject, number in _turns(subjects, effort.rounds):
        run = next(serial)
        body = orjson.dumps(
            Chat(f"How do I reset the password of account {NUMBER}, run {run}?").body
        )
        probe = Shot(Chat(f"How do I find my account, run {run}?").raw, _is_semantic)
        work = Work(body, {}, probe, calls=None)
        runs.add(subject, number, await _run(field, subject, number, work, effort.seconds))
    about = (
        f"{effort.populate} questions stored, {effort.rounds} rounds of {effort.seconds} s; every "
        "question is new and embedded, and any stored one is near enough: the rate is that of the "
        "embedder. Past its time limit a request goes to the upstream instead; the last column "
        "is the share of those, by the upstream's count."
    )
    rows = [
        (*runs.row(subject, number), f"{runs.calls(subject, number):.1%}")
        for number in CONNECTIONS
        for subject in subjects
    ]
    return Section("Semantic hit", about, (*_HEAD, "went upstream"), rows)


async def _populate(subject: Subject, texts: Sequence[str]) -> None:
    async with connections(subject.server.port, 1) as (connection,):
        for text in texts:
            chat = Chat(text, headers={"cache-control": "no-cache"})
            require(chat.shot("upstream"), await connection.request(chat.raw))


def _is_semantic(response: Response) -> str | None:
    return wrong_layer(response, "semantic")


def _turns(subjects: Sequence[Subject], rounds: int) -> list[tuple[Subject, int]]:
    """Return who comes when: the other way round every second time."""
    return [
        (subject, number)
        for round_ in range(rounds)
        for number in CONNECTIONS
        for subject in (subjects if round_ % 2 else list(reversed(subjects)))
    ]


async def _run(field: Field, subject: Subject, number: int, work: Work, seconds: int) -> Run:
    """Measure; a time in which no reply came at all was too short, and a longer one is begun."""
    await _check(subject, work.probe)
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


async def _check(subject: Subject, probe: Shot) -> None:
    async with connections(subject.server.port, 1) as (connection,):
        require(probe, await connection.request(probe.raw))
