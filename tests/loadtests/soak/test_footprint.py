from __future__ import annotations

import asyncio
import os
import subprocess
import sys

from loadtests.soak.footprint import Footprint, look, watch


def test_children_count_too() -> None:
    alone = look(os.getpid(), 7.0)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        both = look(os.getpid(), 7.0)
    finally:
        child.communicate(b"\n")
    assert alone.seconds == 7.0
    assert both.threads == alone.threads + 1
    assert both.rss_mb > alone.rss_mb
    assert both.files > alone.files


async def test_it_looks_until_it_is_told_to_stop() -> None:
    seen: list[Footprint] = []
    enough = asyncio.Event()
    times = iter(range(1000))

    def clock() -> float:
        if len(seen) == 3:
            enough.set()
        return float(next(times))

    watching = asyncio.create_task(watch(os.getpid(), seen, 0.001, clock))
    await enough.wait()
    watching.cancel()
    assert [look.seconds for look in seen[:3]] == [1.0, 2.0, 3.0]
