"""Which channels share a table.

Each takes counts of symbols, [layers, channels, 256], and returns a class a channel, int32
[layers, channels], from 0 without gaps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Classes = NDArray[np.int32]
Sharing = Callable[[Counts], Classes]

MOST_TABLES = 8192
"""That `as_room_allows` makes: 32 MiB in memory at each level, and as many again of anchors."""
FEW_TABLES = 512

_ROUNDS = 10


def per_channel(counts: Counts) -> Classes:
    """Give each channel its own, as the paper does."""
    layers, channels, _ = counts.shape
    return np.arange(layers * channels, dtype=np.int32).reshape(layers, channels)


def per_layer(counts: Counts) -> Classes:
    """One of keys and one of values in each layer, to compare with."""
    layers, channels, _ = counts.shape
    part = np.arange(channels) >= channels // 2
    return np.asarray(2 * np.arange(layers)[:, None] + part, np.int32)


def as_room_allows(counts: Counts) -> Classes:
    """Give each channel its own, or classes where that were too many tables."""
    layers, channels, _ = counts.shape
    fits = layers * channels <= MOST_TABLES
    return (per_channel if fits else alike(FEW_TABLES))(counts)


def alike(most: int) -> Sharing:
    """Join channels of any layers to at most `most` classes of like distributions.

    Lloyd's iteration with the Kullback-Leibler divergence (Dhillon et al., JMLR 2003), begun with
    channels in the order of their entropy. For models with so many channels that a table each
    takes too much room: 4 KiB in memory.
    """

    def share(counts: Counts) -> Classes:
        layers, channels, symbols = counts.shape
        return _alike(counts.reshape(-1, symbols), most).reshape(layers, channels)

    return share


def _alike(counts: Counts, most: int) -> Classes:
    own = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    order = np.argsort(_entropy(own), kind="stable")
    classes = np.empty(len(counts), np.int32)
    for number, members in enumerate(np.array_split(order, min(most, len(order)))):
        classes[members] = number
    for _ in range(_ROUNDS):
        sums = np.zeros((classes.max() + 1, counts.shape[1]))
        np.add.at(sums, classes, counts)
        # Half a count each, so that what a class has not seen is dear and not impossible.
        logs = np.log2((sums + 0.5) / (sums + 0.5).sum(axis=1, keepdims=True))
        classes = np.unique((own @ logs.T).argmax(axis=1), return_inverse=True)[1].astype(np.int32)
    return classes


def _entropy(shares: NDArray[Any]) -> NDArray[np.float64]:
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return -np.asarray((shares * logs).sum(axis=1))
