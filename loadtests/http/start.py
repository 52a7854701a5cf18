"""Cold start and idle memory."""

from __future__ import annotations

import asyncio
from itertools import islice

from loadtests.http.blocks import fire
from loadtests.http.client import connections
from loadtests.http.effort import Effort
from loadtests.http.rig import Rig
from loadtests.http.servers import children, resident_mb
from loadtests.http.shots import Chat
from loadtests.http.wording import questions
from loadtests.report import Section, at_most
from loadtests.stats import median

BAR_S = 3.0
BAR_MB = 400.0
_IDLE_S = 1.0


async def measure(rig: Rig, effort: Effort) -> Section:
    """Start cachemw a few times and weigh it; then again after some requests."""
    ready: list[float] = []
    idle: list[float] = []
    used: list[float] = []
    beside: list[float] = []
    for number in range(effort.starts):
        # The examples of the shipped policies are part of what has to be loaded.
        with rig.cachemw(f"start-{number}", rig.cores.all, shipped=True) as server:
            ready.append(server.ready_s)
            await asyncio.sleep(_IDLE_S)
            idle.append(resident_mb(server.pid))
            beside.append(sum(map(resident_mb, children(server.pid))))
            async with connections(server.port, 1) as pool:
                shots = [Chat(text, text).shot("upstream") for text in islice(questions(), 100)]
                await fire(pool, shots)
            used.append(resident_mb(server.pid))
    rows = [
        _row("spawn to the first 200 on /readyz, s", ready, 2),
        _row("resident when idle, MB", idle, 0),
        _row("its child processes, MB", beside, 0),
        _row("resident after 100 misses, MB", used, 0),
    ]
    about = (
        f"{effort.starts} starts, each with an empty store and a model that was prepared before. "
        "Ready means that the embedder is loaded: /readyz says 503 until then."
    )
    bars = [
        at_most("cold start to ready", median(ready), BAR_S, "s"),
        at_most("idle resident memory", median(idle), BAR_MB, "MB"),
    ]
    head = ("", "median", "least", "most")
    return Section("Cold start and memory", about, head, rows, bars)


def _row(what: str, values: list[float], digits: int) -> tuple[str, ...]:
    figures = (median(values), min(values), max(values))
    return (what, *(f"{figure:.{digits}f}" for figure in figures))
