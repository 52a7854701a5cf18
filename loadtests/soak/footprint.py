"""What a process and its children take, from /proc. Linux only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from loadtests.http.servers import children, resident_mb


@dataclass(frozen=True, slots=True)
class Footprint:
    """One look: seconds since the start, resident MiB, open files, threads."""

    seconds: float
    rss_mb: float
    files: int
    threads: int


def look(pid: int, seconds: float) -> Footprint:
    """Return the sums over a process and its descendants; one that has just ended counts 0."""
    rss, files, threads = 0.0, 0, 0
    for one in (pid, *children(pid)):
        with suppress(FileNotFoundError):
            rss += resident_mb(one)
            files += len(list(Path(f"/proc/{one}/fd").iterdir()))
            threads += len(list(Path(f"/proc/{one}/task").iterdir()))
    return Footprint(seconds, rss, files, threads)


async def watch(
    pid: int,
    seen: list[Footprint],
    period_s: float = 1.0,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Append a look to `seen` every `period_s` until cancelled."""
    started = monotonic()
    while True:
        seen.append(look(pid, monotonic() - started))
        await asyncio.sleep(period_s)
