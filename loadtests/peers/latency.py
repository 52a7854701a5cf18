"""Latencies that our own client takes: what a miss adds, and streams to first token and end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice

from loadtests.http.added import BAR_MS
from loadtests.http.blocks import fire, first_milliseconds, milliseconds
from loadtests.http.client import Response, connections
from loadtests.http.shots import Chat, Shot
from loadtests.http.wording import questions
from loadtests.peers.effort import CONNECTIONS, Effort
from loadtests.peers.subjects import UPSTREAM, Field, Subject
from loadtests.report import Section, at_most
from loadtests.stats import Spread, median_difference, middle, spread

UPSTREAM_MS = (0, 20)
_EXACT = {"x-cachemw-mode": "exact"}


async def added(field: Field, effort: Effort) -> Section:
    """Measure what each adds to a call that goes to the upstream anyway, at one connection."""
    cachemw = [subject for variant, subject in field.cachemw.items() if variant.memory]
    subjects = [*field.plain.values(), *cachemw, *field.litellm.values()]
    asked, rounds = questions(), 2 * effort.rounds + 1
    times: dict[tuple[str, int], list[Spread]] = defaultdict(list)
    for ms in UPSTREAM_MS:
        for _ in range(rounds):
            for subject in subjects:
                shots = _misses(asked, subject, ms, effort.block)
                times[subject.name, ms].append(spread(milliseconds(await _fire(subject, 1, shots))))
    rows, bars = [], []
    for ms in UPSTREAM_MS:
        direct = times[UPSTREAM, ms]
        for subject in subjects:
            more = median_difference(times[subject.name, ms], direct)
            whole = middle(times[subject.name, ms])
            figures = (whole.p50, whole.p99, more.p50, more.p99)
            rows.append((f"{ms} ms, {subject.name}", *(f"{figure:.2f}" for figure in figures)))
            if subject in cachemw:
                what = f"miss, {subject.name}, upstream {ms} ms, added p50"
                bars.append(at_most(what, more.p50, BAR_MS, "ms"))
    about = (
        f"One connection, {rounds} rounds of {effort.block} requests to each in turn; the added "
        "time is the median of the rounds' differences to the upstream asked directly. Every "
        "question is new, in mode exact; the upstream answers at once or after 20 ms."
    )
    head = ("upstream, subject", "p50 ms", "p99 ms", "added p50 ms", "added p99 ms")
    return Section("Miss, added latency", about, head, rows, bars)


def _misses(asked: Iterator[str], subject: Subject, ms: int, number: int) -> list[Shot]:
    layer = subject.layer("upstream")
    chats = (Chat(text, ttft_ms=ms, headers=_EXACT) for text in islice(asked, number))
    return [chat.shot(layer) for chat in chats]


async def streams(field: Field, effort: Effort) -> Section:
    """Measure streams that are new and, asked again, streams out of the cache."""
    cachemw = [subject for variant, subject in field.cachemw.items() if variant.memory]
    caching = [*cachemw, *field.litellm.values()]
    subjects = [*field.plain.values(), *caching]
    asked = questions()
    times: dict[tuple[str, str, int], list[tuple[Spread, Spread]]] = defaultdict(list)
    for _ in range(effort.rounds):
        for number in CONNECTIONS:
            for subject in subjects:
                # LiteLLM's memory holds 200 answers: no more than that, or its hits are none.
                texts = list(islice(asked, max(effort.block, number)))
                ways = ("miss", "hit") if subject in caching else ("miss",)
                for way in ways:
                    shots = [_stream(text, subject, way) for text in texts]
                    replies = await _counted(field, subject, number, shots, way)
                    times[way, subject.name, number].append(_both(replies))
    rows = [
        (f"{number}, {way}, {subject.name}", *_figures(times[way, subject.name, number]))
        for number in CONNECTIONS
        for way in ("miss", "hit")
        for subject in (subjects if way == "miss" else caching)
    ]
    about = (
        f"{effort.rounds} rounds of {effort.block} streams at least (one for every connection) to "
        "each in turn, in mode exact: to the first chunk with content, and to the end, of 8 chunks "
        "that the upstream makes 1 ms apart. Hits repeat the misses and made no upstream call."
    )
    head = ("connections, way, subject", "TTFT p50 ms", "TTFT p99 ms", "end p50 ms", "end p99 ms")
    return Section("Streams", about, head, rows)


def _stream(text: str, subject: Subject, way: str) -> Shot:
    chat = Chat(text, stream=True, headers=_EXACT)
    return chat.shot(subject.layer("exact" if way == "hit" else "upstream"))


async def _counted(
    field: Field, subject: Subject, number: int, shots: Sequence[Shot], way: str
) -> list[Response]:
    before = field.upstream_calls()
    replies = await _fire(subject, number, shots)
    field.require_calls(subject, before, len(shots), calls=0 if way == "hit" else 1)
    return replies


async def _fire(subject: Subject, number: int, shots: Sequence[Shot]) -> list[Response]:
    async with connections(subject.server.port, number) as pool:
        return await fire(pool, shots)


def _both(replies: Sequence[Response]) -> tuple[Spread, Spread]:
    return spread(first_milliseconds(replies)), spread(milliseconds(replies))


def _figures(rounds: Sequence[tuple[Spread, Spread]]) -> tuple[str, ...]:
    first, whole = (middle([both[place] for both in rounds]) for place in (0, 1))
    return tuple(f"{figure:.2f}" for figure in (first.p50, first.p99, whole.p50, whole.p99))
