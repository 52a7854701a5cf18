"""What cachemw adds to a call that goes to the upstream anyway."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice

import orjson

from loadtests.http.blocks import fire, milliseconds
from loadtests.http.client import Connection, Response, connections, raw_request
from loadtests.http.effort import Effort
from loadtests.http.rig import Rig
from loadtests.http.servers import Server
from loadtests.http.shots import Chat, Shot
from loadtests.http.wording import questions
from loadtests.report import Bar, Section, at_most
from loadtests.stats import Spread, median_difference, middle, spread

BAR_MS = 1.0
CONCURRENT = 8
UPSTREAM_MS = (0, 20)
_MISS = {"x-cachemw-threshold": "1"}

Shots = Callable[[int, str | None], Iterator[Shot]]


@dataclass(frozen=True)
class Case:
    """A way through cachemw.

    `shots` yields requests for an upstream's latency and the layer that must answer; `embeds`: the
    embedding stands before the upstream call.
    """

    name: str
    shots: Shots
    embeds: bool = False


def cases() -> tuple[Case, ...]:
    """Return all ways; no two requests of a run are the same."""
    asked = questions()

    def chats(make: Callable[[str, int], Chat]) -> Shots:
        return lambda ms, layer: (make(text, ms).shot(layer) for text in asked)

    systems = count()
    return (
        Case("miss, mode exact", chats(lambda q, ms: _chat(q, ms, {"x-cachemw-mode": "exact"}))),
        Case(
            "miss, mode full, empty partition",
            chats(lambda q, ms: Chat(q, f"Assistant number {next(systems)}.", ttft_ms=ms)),
        ),
        Case(
            "miss, mode full, populated partition",
            chats(lambda q, ms: _chat(q, ms, _MISS)),
            embeds=True,
        ),
        Case("bypass, mode off", chats(lambda q, ms: _chat(q, ms, {"x-cachemw-mode": "off"}))),
        Case("pass-through, other path", _others),
    )


def _chat(question: str, ttft_ms: int, headers: dict[str, str]) -> Chat:
    return Chat(question, ttft_ms=ttft_ms, headers=headers)


def _others(ms: int, layer: str | None) -> Iterator[Shot]:
    """Yield requests to a path that is not cached: an echo, or a line that comes `ms` later."""
    for number in count():
        if ms:
            path = f"/v1/drip?count=1&delay={ms / 1e3}&number={number}"
            yield Shot(raw_request(path, method="GET"), _drip_check(layer))
            continue
        body = orjson.dumps({"number": number, "input": "x" * 200})
        yield Shot(raw_request("/v1/batches", body), _echo_check(body, layer))


def _drip_check(layer: str | None) -> Callable[[Response], str | None]:
    def check(response: Response) -> str | None:
        got = response.header(b"x-cachemw-layer").decode() or None
        right = response.body == b"line 0\n" and got == layer
        return None if right else f"{response.body[:80]!r} from layer {got}"

    return check


def _echo_check(body: bytes, layer: str | None) -> Callable[[Response], str | None]:
    digest = hashlib.sha256(body).hexdigest()

    def check(response: Response) -> str | None:
        got = response.header(b"x-cachemw-layer").decode() or None
        right = response.status == 200 and orjson.loads(response.body)["sha256"] == digest
        return None if right and got == layer else f"{response.body[:80]!r} from layer {got}"

    return check


@dataclass(frozen=True)
class Paired:
    """One case at one latency and concurrency: a spread a round, in milliseconds."""

    case: Case
    upstream_ms: int
    connections: int
    direct: list[Spread]
    through: list[Spread]
    embedding: list[Spread]

    @property
    def added(self) -> Spread:
        """What cachemw adds, embedding included."""
        return median_difference(self.through, self.direct)

    @property
    def embedding_p50(self) -> float:
        """The embedding alone, 0 where the request does not wait for one."""
        return middle(self.embedding).p50 if self.embedding else 0.0


async def measure(rig: Rig, effort: Effort) -> Section:
    """Measure all cases, direct and through cachemw in turn."""
    with rig.cachemw("added", rig.cores.all) as server:
        results: list[Paired] = []
        for case in cases():
            await _populate(server, case, effort)
            for ms, number in (*((ms, 1) for ms in UPSTREAM_MS), (0, CONCURRENT)):
                results.append(await _paired(rig, server, case, ms, number, effort))
    return section(results, effort)


async def _populate(server: Server, case: Case, effort: Effort) -> None:
    """Give the partition something to be searched; for the other cases this warms up."""
    async with connections(server.port, 1) as pool:
        number = effort.populate if case.embeds else effort.warm_up
        await fire(pool, list(islice(case.shots(0, "upstream"), number)))


async def _paired(
    rig: Rig, server: Server, case: Case, ms: int, number: int, effort: Effort
) -> Paired:
    result = Paired(case, ms, number, [], [], [])
    embeds = case.embeds and number == 1
    async with (
        connections(rig.upstream.port, number) as direct,
        connections(server.port, number) as through,
    ):
        await _block(direct, case, ms, None, effort.warm_up)
        await _block(through, case, ms, "upstream", effort.warm_up)
        for _ in range(effort.rounds):
            _, times = await _block(direct, case, ms, None, effort.block)
            result.direct.append(times)
            shots, times = await _block(through, case, ms, "upstream", effort.block)
            result.through.append(times)
            if embeds:
                texts = [shot.text for shot in shots]
                result.embedding.append(spread(rig.embedder.milliseconds(texts)))
    return result


async def _block(
    pool: list[Connection], case: Case, ms: int, layer: str | None, number: int
) -> tuple[list[Shot], Spread]:
    shots = list(islice(case.shots(ms, layer), number))
    return shots, spread(milliseconds(await fire(pool, shots)))


def section(results: list[Paired], effort: Effort) -> Section:
    """Return the table and the bars, which are about one connection."""
    about = (
        f"Blocks of {effort.block} direct and through cachemw in turn, {effort.rounds} rounds; the "
        "added time is the median of the rounds' differences of p50 (of p99). The fake upstream "
        "answers at once or after 20 ms. Client and upstream share a core, cachemw may use both. "
        f"Before the call in a populated partition ({effort.populate} questions at least) stands "
        "the embedding: shown beside it, alone, on the same texts in the same rounds."
    )
    head = (
        "way, upstream, connections",
        "direct p50 ms",
        "through p50 ms",
        "added p50 ms",
        "added p99 ms",
        "embedding p50 ms",
        "added without it ms",
    )
    bars = [_bar(result) for result in results if result.connections == 1]
    return Section("Miss and pass-through, added latency", about, head, _rows(results), bars)


def _rows(results: list[Paired]) -> list[tuple[str, ...]]:
    return [
        (
            f"{r.case.name}, {r.upstream_ms} ms, {r.connections}",
            f"{middle(r.direct).p50:.2f}",
            f"{middle(r.through).p50:.2f}",
            f"{r.added.p50:.2f}",
            f"{r.added.p99:.2f}",
            f"{r.embedding_p50:.2f}" if r.embedding else "",
            f"{r.added.p50 - r.embedding_p50:.2f}" if r.embedding else "",
        )
        for r in results
    ]


def _bar(result: Paired) -> Bar:
    without = ", without its embedding" if result.case.embeds else ""
    what = f"{result.case.name}, upstream {result.upstream_ms} ms, added p50{without}"
    return at_most(what, result.added.p50 - result.embedding_p50, BAR_MS, "ms")
