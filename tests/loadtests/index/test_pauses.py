from __future__ import annotations

import asyncio
import gc
import time

from loadtests.index.pauses import Collections, PauseProbe


async def test_a_pause_is_seen_with_what_was_under_way() -> None:
    doing = "first"
    probe = PauseProbe(lambda: doing)
    probe.start()
    await asyncio.sleep(0.05)
    doing = "blocking"
    time.sleep(0.2)  # noqa: ASYNC251 - that is the point
    await asyncio.sleep(0.05)
    await probe.stop()
    seen = probe.pauses()
    assert seen.samples > 5
    assert seen.longest > 150
    assert "blocking" in seen.worst[0][1]
    assert len(seen.worst) <= 5


def test_collections_are_timed_by_generation() -> None:
    collections = Collections()
    gc.collect()
    collections.close()
    longest = list(collections.longest)
    gc.collect()
    assert longest[2] > 0
    assert collections.longest == longest
