"""Rates and latencies under wrk: exact hits, semantic hits and misses."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import count, islice

import orjson

from loadtests.http.client import Response, connections
from loadtests.http.exact import CHAT
from loadtests.http.shots import Chat, Shot, require, wrong_layer
from loadtests.http.wording import aside, questions, task
from loadtests.http.wrk import NUMBER, TASK
from loadtests.peers.effort import CONNECTIONS, JUDGED, Effort
from loadtests.peers.runs import Runs, Work, run
from loadtests.peers.subjects import Field, Subject, Variant
from loadtests.report import Bar, Section, at_least
from loadtests.stats import median_ratio

BARE_BAR = 0.6
LITELLM_BAR = 100.0
_PROBES = 5
# What one worker stores is in the other's index within a second.
_LEARNT_S = 1.0
_EXACT = {"x-cachemw-mode": "exact"}
_HEAD = ("connections, subject", "req/s", "p50 ms", "p99 ms", "CPU µs/request")


async def exact(field: Field, effort: Effort) -> Section:
    """Measure exact hits of everything that caches, beside the bare applications."""
    floors, cachemw, peers = field.bare, field.cachemw, field.litellm
    subjects = [*floors.values(), *cachemw.values(), *peers.values()]
    for subject in subjects:
        await _prime(subject)
    runs = Runs()
    for subject, number in _turns(subjects, effort.hit_rounds):
        work = Work(orjson.dumps(CHAT.body), {}, [CHAT.shot(subject.layer("exact"))], calls=0)
        runs.add(subject, number, await run(field, subject, number, work, effort.seconds))
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
    runs, serials = Runs(), count()
    for subject, number in _turns(subjects, effort.rounds):
        body = orjson.dumps(Chat(f"Which one is {NUMBER} of the run {next(serials)}?").body)
        probe = Chat(f"probe: {next(asked)}", headers=_EXACT).shot(subject.layer("upstream"))
        work = Work(body, _EXACT, [probe], calls=1)
        runs.add(subject, number, await run(field, subject, number, work, effort.seconds))
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
    await asyncio.sleep(_LEARNT_S)
    runs, serials = Runs(), count()
    for subject, number in _turns(subjects, effort.rounds):
        this = f"{aside(next(serials))}, in this run of questions?"
        body = orjson.dumps(Chat(f"How do I {TASK} {this}").body)
        # Several: on a busy machine the embedder is late for one now and then.
        texts = (f"How do I {task(n)}, {this}" for n in range(_PROBES))
        probes = [Shot(Chat(text).raw, _is_semantic) for text in texts]
        work = Work(body, {}, probes, calls=None)
        runs.add(subject, number, await run(field, subject, number, work, effort.seconds))
    about = (
        f"{effort.populate} questions stored, {effort.rounds} rounds of {effort.seconds} s; every "
        "question is new and embedded, any stored one is near enough, and the verifier reads the "
        "nearest: the rate is that of both. Past their time limits a request goes to the upstream "
        "instead; the last column is the share of those, by the upstream's count."
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
