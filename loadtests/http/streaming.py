"""Time to the first content of a stream: direct, on a miss, and replayed on a hit."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from loadtests.http.added import UPSTREAM_MS
from loadtests.http.blocks import fire, first_milliseconds
from loadtests.http.client import Connection, connections
from loadtests.http.effort import Effort
from loadtests.http.rig import Rig
from loadtests.http.shots import Chat, Shot
from loadtests.http.wording import questions
from loadtests.report import Section, at_most
from loadtests.stats import Spread, median_difference, middle, spread

BAR_MS = 1.5
_MODES = ("exact", "full")


async def measure(rig: Rig, effort: Effort) -> Section:
    """Stream direct, through cachemw on a miss and again on a hit, in turn."""
    asked = questions()
    rows: list[tuple[str, ...]] = []
    bars = []
    with rig.cachemw("streaming", rig.cores.all) as server:
        async with (
            connections(rig.upstream.port, 1) as direct,
            connections(server.port, 1) as through,
        ):
            for mode in _MODES:
                for ms in UPSTREAM_MS:
                    await _rounds(direct, through, asked, mode, ms, _warm_up(effort))
                    times = await _rounds(direct, through, asked, mode, ms, effort)
                    added = median_difference(times["miss"], times["direct"])
                    rows += _rows(mode, ms, times, added)
                    what = f"stream, miss, mode {mode}, upstream {ms} ms, added TTFT p50"
                    bars.append(at_most(what, added.p50, BAR_MS, "ms"))
    about = (
        f"One connection, {effort.rounds} rounds of {effort.block} each in turn: from the request "
        "to the first chunk with content, of 8 that come 1 ms apart. Every miss has a partition of "
        "its own, as the first question of a conversation; the hits repeat the misses."
    )
    head = ("mode, upstream, way", "TTFT p50 ms", "TTFT p99 ms", "added p50 ms")
    return Section("Streaming, time to first token", about, head, rows, bars)


def _warm_up(effort: Effort) -> Effort:
    return Effort(rounds=1, block=effort.warm_up)


async def _rounds(
    direct: list[Connection],
    through: list[Connection],
    asked: Iterator[str],
    mode: str,
    ms: int,
    effort: Effort,
) -> dict[str, list[Spread]]:
    times: dict[str, list[Spread]] = {"direct": [], "miss": [], "exact hit": []}
    for _ in range(effort.rounds):
        chats = [_chat(text, mode, ms) for text in islice(asked, effort.block)]
        times["direct"].append(await _ttft(direct, [chat.shot(None) for chat in chats]))
        times["miss"].append(await _ttft(through, [chat.shot("upstream") for chat in chats]))
        times["exact hit"].append(await _ttft(through, [chat.shot("exact") for chat in chats]))
    return times


def _chat(text: str, mode: str, ms: int) -> Chat:
    system = f"You help with one thing: {text}"
    return Chat(text, system, stream=True, ttft_ms=ms, headers={"x-cachemw-mode": mode})


async def _ttft(pool: list[Connection], shots: list[Shot]) -> Spread:
    return spread(first_milliseconds(await fire(pool, shots)))


def _rows(
    mode: str, ms: int, times: dict[str, list[Spread]], added: Spread
) -> list[tuple[str, ...]]:
    return [
        (
            f"{mode}, {ms} ms, {way}",
            f"{middle(spreads).p50:.2f}",
            f"{middle(spreads).p99:.2f}",
            f"{added.p50:.2f}" if way == "miss" else "",
        )
        for way, spreads in times.items()
    ]
