"""What the kernels are to do for one layer, worked out on the CPU from the lengths of its streams.

Everything that decides where kernels read and write is checked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cachemw_codecs.errors import DamagedData, InvalidInput
from cachemw_codecs.gpu.coder import LANES, Field, describe, room
from cachemw_codecs.gpu.transform import Unit


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a layer's values are split: `width` columns a stream, `size` columns a transform.

    Keys or values of a token are kv_heads x head_dim columns. `size` is a multiple of `head_dim`;
    of `width` and `size` one divides the other.
    """

    kv_heads: int
    head_dim: int
    width: int
    size: int

    def __post_init__(self) -> None:
        whole = self.channels % self.width == 0 and self.channels % self.size == 0
        nested = self.width % self.size == 0 or self.size % self.width == 0
        if not whole or not nested or self.size % self.head_dim:
            raise InvalidInput(
                f"streams of {self.width} columns and transforms of {self.size} do not fit "
                f"{self.kv_heads} heads of {self.head_dim}"
            )

    @property
    def channels(self) -> int:
        """Columns of one token's keys (or values)."""
        return self.kv_heads * self.head_dim

    @property
    def streams(self) -> int:
        """Streams of a piece: those of the keys, then those of the values."""
        return 2 * (self.channels // self.width)

    @property
    def transforms(self) -> int:
        """Transforms of a layer and setting: those of the keys, then those of the values."""
        return 2 * (self.channels // self.size)


@dataclass(frozen=True, slots=True)
class Run:
    """Tokens that stand together in a stream and in the cache: `count` of them, to `position`."""

    count: int
    position: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Streams over the same tokens, one after the other in the buffer, pieces too.

    `lengths`: bytes of each of `Geometry.streams`. `runs`: the tokens in order. `setting`: which
    set of tables and matrices, as protected tokens have finer steps.
    """

    lengths: Sequence[int]
    runs: Sequence[Run]
    setting: int = 0

    @property
    def tokens(self) -> int:
        """Of each of its streams."""
        return sum(run.count for run in self.runs)


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """`streams`: see `coder.Field`. `units`: see `transform.Unit`. `room`: values between the two.

    `longest`: tokens of the longest stream, in whole groups of 32.
    """

    streams: NDArray[np.int64]
    units: NDArray[np.int64]
    room: int
    words: int
    longest: int
    capacity: int


def plan_layer(pieces: Sequence[Piece], geometry: Geometry, capacity: int) -> LayerPlan:
    """Plan a layer whose cache is [2, kv_heads, capacity, head_dim], keys first.

    Row of `columns` for a stream: setting x geometry.streams + its number in the piece; row of
    steps and means for a transform: setting x geometry.transforms + its number. Raises
    `DamagedData` where lengths or runs cannot be.
    """
    lengths: list[int] = []
    tokens: list[int] = []
    rows: list[int] = []
    for piece in pieces:
        _check(piece, geometry, capacity)
        lengths += piece.lengths
        tokens += [piece.tokens] * geometry.streams
        rows += range(piece.setting * geometry.streams, (piece.setting + 1) * geometry.streams)
    streams = describe(lengths, tokens, rows, geometry.width)
    units = [
        unit
        for number, piece in enumerate(pieces)
        for unit in _units(piece, streams[Field.PLACE, number * geometry.streams :], geometry)
    ]
    table = np.array(units, np.int64).reshape(-1, len(Unit)).T.copy()
    per_head = capacity * geometry.head_dim
    # A transform's number is also its place among the heads of keys and values.
    head = table[Unit.MATRIX] * (geometry.size // geometry.head_dim)
    table[Unit.TARGET] = head * per_head + table[Unit.TARGET] * geometry.head_dim
    return LayerPlan(
        streams,
        table,
        room(streams, geometry.width),
        sum(lengths) // 2,
        int(table[Unit.PADDED].max(initial=0)),
        capacity,
    )


def _check(piece: Piece, geometry: Geometry, capacity: int) -> None:
    if len(piece.lengths) != geometry.streams:
        raise DamagedData(f"{len(piece.lengths)} streams, not {geometry.streams}")
    if piece.setting < 0:
        raise DamagedData(f"setting: {piece.setting} is negative")
    if not piece.runs:
        raise DamagedData("a piece of streams without tokens")
    for run in piece.runs:
        if run.count < 1 or run.position < 0 or run.position + run.count > capacity:
            raise DamagedData(
                f"tokens: {run.count} at {run.position} do not fit a cache of {capacity}"
            )


def _units(piece: Piece, places: NDArray[np.int64], geometry: Geometry) -> list[tuple[int, ...]]:
    """As `Unit` says, but for TARGET, which is the position yet."""
    padded = -(-piece.tokens // LANES) * LANES
    made: list[tuple[int, ...]] = []
    first = 0
    for run in piece.runs:
        for number in range(geometry.transforms):
            stream, column = divmod(number * geometry.size, geometry.width)
            made.append(
                (
                    int(places[stream]),
                    padded,
                    first,
                    run.count,
                    column,
                    number,
                    piece.setting * geometry.transforms + number,
                    run.position,
                )
            )
        first += run.count
    return made
