"""Time on the device."""

from __future__ import annotations

from collections.abc import Callable

import torch

from loadtests.stats import median


def milliseconds(run: Callable[[], object], repeats: int, warm: int = 2) -> float:
    """Return the median time of `run` between two events on the current stream.

    What the host spends between launches counts, as it does for whoever waits. `run` should touch
    more than the L2 cache holds.
    """
    for _ in range(warm):
        run()
    times = []
    for _ in range(repeats):
        torch.cuda.synchronize()
        begin, end = (
            torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            for _ in range(2)
        )
        begin.record()
        run()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return median(times)


def gigabytes_a_second(count: int, took_ms: float) -> float:
    """Return the rate of `count` bytes in `took_ms`, in 10^9 bytes a second."""
    return count / took_ms / 1e6
