"""Time on the device."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from loadtests.stats import median


@dataclass(frozen=True, slots=True)
class Timing:
    """One thing done: milliseconds, and the bf16 bytes that it stands for."""

    what: str
    took_ms: float
    bf16_bytes: int
    other_bytes: int = 0
    """Bytes of its own input where those are of interest."""


def milliseconds(run: Callable[[], object], repeats: int, warm: int = 2) -> float:
    """Return the median time of `run` between two events on the current stream.

    What the host spends between launches counts, as it does for whoever waits. `run` should touch
    more than the L2 cache holds. Without a GPU, where kernels are interpreted, by the host's clock.
    """
    for _ in range(warm):
        run()
    if not torch.cuda.is_available():
        begin_s = time.perf_counter()
        run()
        return 1000 * (time.perf_counter() - begin_s)
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
