"""The mix: which task fills how many rows of every batch."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from loadtests.lab.packing import Rows, RowSource, stack

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Share:
    """A source of rows and its share of every batch."""

    source: RowSource
    rows: int


def split_rows(weights: dict[str, float], rows: int) -> dict[str, int]:
    """Share `rows` out in proportion to `weights`, each at least one, by largest remainder."""
    total = sum(weights.values())
    exact = {name: rows * weight / total for name, weight in weights.items()}
    counts = {name: max(1, int(share)) for name, share in exact.items()}
    for name in sorted(exact, key=lambda name: exact[name] - int(exact[name]), reverse=True):
        if sum(counts.values()) < rows:
            counts[name] += 1
    return counts


def batches(shares: list[Share], seed: int) -> Iterator[Rows]:
    """Endless batches, every share with its own random stream: adding one leaves others alone."""
    streams = [
        (share.rows, share.source.forever(np.random.default_rng((seed, number))))
        for number, share in enumerate(shares)
    ]
    while True:
        yield stack([next(stream) for rows, stream in streams for _ in range(rows)])


def ahead(source: Iterator[Rows], count: int, depth: int = 8) -> Iterator[Rows]:
    """Yield the first `count` of `source`, made on a thread: the GPU never waits for packing."""
    made: queue.Queue[Rows] = queue.Queue(depth)

    def make() -> None:
        for _ in range(count):
            made.put(next(source))

    threading.Thread(target=make, daemon=True).start()
    for _ in range(count):
        yield made.get()
