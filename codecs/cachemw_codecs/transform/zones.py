"""Which tokens are coded how. Own design.

A setting says how fine the step is, and whether tokens are taken by the block. What a token's error
costs depends on its place: later queries look at the last tokens before them up to a thousand times
as much as at one half-way, and at the first, which models use as sinks, up to ten thousand times.
The factors are measured by calibration.
"""

from __future__ import annotations

from dataclasses import dataclass

from cachemw_codecs.transform.blocks import BLOCK

FIRST, SINKS, LOOSE, BODY, *TAILS = range(7)
"""Settings. `FIRST` is token 0 alone: where models keep their sink it is far from all others, so
that it has a mean of its own. `LOOSE` tokens are like the body's but do not fill a block."""
SETTINGS = 7

_SINKS_END = 4
_TAIL_STARTS = (256, 64, 16)
"""Distances from the end at which the `TAILS` begin."""
LONGEST = 512
"""Most tokens of one piece: bounds what a stream takes to decode alone."""


def by_block(setting: int) -> bool:
    """Whether tokens of a setting are taken `BLOCK` at a time."""
    return setting >= BODY


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


def zones(tokens: int, begins_context: bool, ends_context: bool) -> list[Zone]:
    """Split a chunk of `tokens`; none is empty, and together they are all of it in order.

    `begins_context`: its first tokens are the context's, sinks. `ends_context`: what comes behind
    it is a question or an answer, so that its tail is what the next queries see most of.
    """
    loose = min(_SINKS_END, tokens) if begins_context else 0
    first_block = loose + (tokens - loose) % BLOCK
    sinks = [(0, FIRST), (1, SINKS)] if begins_context else []
    borders = [*sinks, (loose, LOOSE), (first_block, BODY)]
    if ends_context:
        borders += [
            (max(first_block, tokens - start), setting)
            for start, setting in zip(_TAIL_STARTS, TAILS, strict=True)
        ]
    ends = [start for start, _ in borders[1:]] + [tokens]
    return [
        Zone(start, min(end, tokens), setting)
        for (start, setting), end in zip(borders, ends, strict=True)
        if start < min(end, tokens)
    ]


def pieces(tokens: int, begins_context: bool, ends_context: bool) -> list[Zone]:
    """Return the zones, long ones cut into pieces of about equal length, whole blocks."""
    cut = []
    for zone in zones(tokens, begins_context, ends_context):
        count = -(-zone.tokens // LONGEST)
        length = -(-zone.tokens // (count * BLOCK)) * BLOCK
        cut += [
            Zone(start, min(start + length, zone.stop), zone.setting)
            for start in range(zone.start, zone.stop, length)
        ]
    return cut
