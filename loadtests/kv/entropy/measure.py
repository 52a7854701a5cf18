"""Sizes and speeds of all coders on one stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from loadtests.kv.entropy.coders import Coder
from loadtests.kv.entropy.streams import Stream

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Measured:
    """One coder on one stream. Speeds in G symbols/s, a figure for each repeat."""

    name: str
    bits: float
    encode: Sequence[float]
    decode: Sequence[float]

    def ratios(self, other: Measured) -> tuple[float, float]:
        """How many times as fast as `other`, encoding and decoding: medians of the repeats' own."""
        encode = median(a / b for a, b in zip(self.encode, other.encode, strict=True))
        decode = median(a / b for a, b in zip(self.decode, other.decode, strict=True))
        return encode, decode


class WrongSymbols(Exception):
    """A coder did not return what went in."""


def measure(
    stream: Stream, coders: Sequence[type[Coder]], repeats: int, clock: Clock
) -> list[Measured]:
    """Let all coders take turns `repeats` times, after one that does not count."""
    made = [coder(stream) for coder in coders]
    encoded = [coder.encode() for coder in made]
    for coder, data in zip(made, encoded, strict=True):
        _check(coder, stream, coder.decode(data))
    seconds: list[tuple[list[float], list[float]]] = [([], []) for _ in made]
    for _ in range(repeats):
        for coder, data, (encoding, decoding) in zip(made, encoded, seconds, strict=True):
            encoding.append(_timed(coder.encode, clock))
            decoding.append(_timed(partial(coder.decode, data), clock))
    size = stream.symbols.size
    return [
        Measured(
            coder.name,
            8 * coder.size(data) / size,
            [size / s / 1e9 for s in encoding],
            [size / s / 1e9 for s in decoding],
        )
        for coder, data, (encoding, decoding) in zip(made, encoded, seconds, strict=True)
    ]


def _timed(work: Callable[[], Any], clock: Clock) -> float:
    begin = clock()
    work()
    return clock() - begin


def _check(coder: Coder, stream: Stream, decoded: Any) -> None:
    """Compare counts at least: not all coders return the symbols in the same order."""
    same = (
        np.array_equal(decoded, stream.symbols)
        if decoded.shape == stream.symbols.shape
        else np.array_equal(np.bincount(decoded), np.bincount(stream.symbols.ravel()))
    )
    if not same:
        raise WrongSymbols(f"{coder.name} at sigma {stream.sigma}")
