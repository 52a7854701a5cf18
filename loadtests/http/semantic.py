"""Semantic hits at one connection, beside their embedding alone and beside exact hits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from loadtests.http.blocks import fire, milliseconds
from loadtests.http.client import Connection, Response, connections
from loadtests.http.effort import Effort
from loadtests.http.rig import Rig
from loadtests.http.shots import Chat, Shot, wrong_answer, wrong_layer
from loadtests.http.wording import questions
from loadtests.report import Section, at_most
from loadtests.stats import Spread, median_difference, middle, spread

BAR_MS = 1.0
_STORE = {"cache-control": "no-cache"}


@dataclass(frozen=True)
class Rounds:
    """One spread a round, in milliseconds."""

    semantic: list[Spread]
    embedding: list[Spread]
    exact: list[Spread]


async def measure(rig: Rig, effort: Effort) -> Section:
    """Ask questions that were never asked before, all of which find a near one."""
    asked = questions()
    stored = [Chat(text) for text in islice(asked, effort.populate)]
    with rig.cachemw("semantic", rig.cores.all) as server:
        async with connections(server.port, 1) as (connection,):
            writes = [Chat(chat.question, headers=_STORE).shot("upstream") for chat in stored]
            await fire([connection], writes)
            await fire([connection], list(islice(_near(asked, stored), effort.warm_up)))
            rounds = await _rounds(rig, effort, connection, stored, asked)
    return section(rounds, effort)


async def _rounds(
    rig: Rig, effort: Effort, connection: Connection, stored: list[Chat], asked: Iterator[str]
) -> Rounds:
    again = [chat.shot("exact") for chat in stored]
    rounds = Rounds([], [], [])
    for _ in range(effort.rounds):
        near = list(islice(_near(asked, stored), effort.block))
        rounds.semantic.append(spread(milliseconds(await fire([connection], near))))
        rounds.embedding.append(spread(rig.embedder.milliseconds([shot.text for shot in near])))
        rounds.exact.append(spread(milliseconds(await fire([connection], again[: effort.block]))))
    return rounds


def _near(asked: Iterator[str], stored: list[Chat]) -> Iterator[Shot]:
    """Yield new questions, each with a check for a stored answer out of the semantic layer."""
    every = {chat.answer for chat in stored}

    def check(response: Response) -> str | None:
        return wrong_layer(response, "semantic") or wrong_answer(response, every)

    for question in asked:
        yield Shot(Chat(question).raw, check, question)


def section(rounds: Rounds, effort: Effort) -> Section:
    """Return the table and the bar."""
    over_embedding = median_difference(rounds.semantic, rounds.embedding)
    over_exact = median_difference(rounds.semantic, rounds.exact)
    figures = {
        "semantic hit, end to end": middle(rounds.semantic),
        "embedding alone, through the batcher": middle(rounds.embedding),
        "exact hit, end to end": middle(rounds.exact),
        "semantic hit − embedding": over_embedding,
        "semantic hit − exact hit": over_exact,
    }
    rows = [(name, f"{s.p50:.2f}", f"{s.p99:.2f}") for name, s in figures.items()]
    about = (
        f"One connection, {effort.rounds} rounds of {effort.block} each in turn, medians over "
        f"rounds; {effort.populate} questions stored. Every question is new (about 15 tokens), so "
        "that neither the exact tier nor the memory of recent vectors serves it. The verifier "
        "reads the nearest, which is part of the hit. The embedding alone is the same embedder "
        "and batcher on the same texts in another process."
    )
    bar = at_most("semantic hit − embedding, p50", over_embedding.p50, BAR_MS, "ms")
    return Section("Semantic hit, latency", about, ("", "p50 ms", "p99 ms"), rows, [bar])
