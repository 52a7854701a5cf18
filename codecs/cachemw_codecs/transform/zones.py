"""Which tokens are coded how finely. Own design.

A step is chosen by setting. What a token's error costs depends on its place: later queries look at
the last tokens before them up to a thousand times as much as at one half-way, and at the first
tokens, which models use as sinks, more than at others. The factors are measured by calibration.
"""

from __future__ import annotations

from dataclasses import dataclass

BODY, FIRST, SINKS, *TAILS = range(6)
"""Settings. `FIRST` is token 0 alone: where models keep their sink it is far from all others, so
that it has a mean of its own."""
SETTINGS = 6

_SINKS_END = 4
_TAIL_STARTS = (256, 64, 8)
"""Distances from the end at which the `TAILS` begin."""
BLOCK = 512
"""Most tokens of one piece: bounds what a stream takes to decode alone."""
_LANES = 32


@dataclass(frozen=True, slots=True)
class Zone:
    """Tokens `start` to `stop` of a chunk, coded with `setting`."""

    start: int
    stop: int
    setting: int

    @property
    def tokens(self) -> int:
        """How many."""
        return self.stop - self.start


def zones(tokens: int, ends_context: bool) -> list[Zone]:
    """Split a chunk of `tokens`; none is empty, and together they are all of it in order.

    `ends_context`: what comes behind the chunk is a question or an answer, so that its tail is what
    the next queries see most of.
    """
    borders = [(0, FIRST), (1, SINKS), (_SINKS_END, BODY)]
    if ends_context:
        borders += [
            (max(_SINKS_END, tokens - start), setting)
            for start, setting in zip(_TAIL_STARTS, TAILS, strict=True)
        ]
    ends = [start for start, _ in borders[1:]] + [tokens]
    return [
        Zone(max(start, 0), min(end, tokens), setting)
        for (start, setting), end in zip(borders, ends, strict=True)
        if start < min(end, tokens)
    ]


def pieces(tokens: int, ends_context: bool) -> list[Zone]:
    """Return the zones, long ones cut into blocks of equal length, multiples of 32 but the last."""
    cut = []
    for zone in zones(tokens, ends_context):
        count = -(-zone.tokens // BLOCK)
        length = -(-zone.tokens // (count * _LANES)) * _LANES
        cut += [
            Zone(start, min(start + length, zone.stop), zone.setting)
            for start in range(zone.start, zone.stop, length)
        ]
    return cut
