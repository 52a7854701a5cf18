"""From the measured sizes to a switch point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loadtests.index.measure import Size

BLOCK_MS = 0.3
"""How long the scan may hold up the event loop, which serves everybody."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Numbers of vectors; None: not reached at any measured size.

    `slower`: from here the scan takes longer than the graph with its hop. `blocks`: from here the
    scan holds up the loop for longer than it may.
    """

    slower: int | None
    blocks: int | None

    @property
    def switch_at(self) -> int | None:
        """The smaller of both: up to here the scan is the right one."""
        reached = [point for point in (self.slower, self.blocks) if point is not None]
        return min(reached, default=None)


def advise(measured: Sequence[Size], hop_ms: float) -> Advice:
    """Return the points where the scan stops to be the right one."""
    sizes = [size.size for size in measured]
    behind = [size.flat.p50 - (size.graph.p50 + hop_ms) for size in measured]
    over = [size.flat.p50 - BLOCK_MS for size in measured]
    return Advice(crossing(sizes, behind), crossing(sizes, over))


def crossing(sizes: Sequence[int], excess: Sequence[float]) -> int | None:
    """Return where `excess` rises above zero for good, interpolated; None if it ends below."""
    above = len(sizes)
    while above and excess[above - 1] > 0:
        above -= 1
    if above == len(sizes):
        return None
    if above == 0:
        return sizes[0]
    low, high = excess[above - 1], excess[above]
    share = -low / (high - low)
    return math.floor(sizes[above - 1] + share * (sizes[above] - sizes[above - 1]))
