"""What the kernels are to do for one layer, worked out on the CPU from the lengths of its streams.

Everything that decides where kernels read and write is checked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cachemw_codecs.errors import DamagedData, InvalidInput
from cachemw_codecs.gpu.blocks import Blocks
from cachemw_codecs.gpu.coder import LANES, Field, describe, room
from cachemw_codecs.gpu.transform import Unit

Table = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a layer's values are split: `width` columns a stream, `size` columns a transform.

    Keys or values of a token are kv_heads x head_dim columns. `size` is a multiple of `head_dim`;
    of `width` and `size` one divides the other. Pieces with setting `block_settings` and up have a
    row a block of `block` tokens, of block x width columns; others have a row a token.
    """

    kv_heads: int
    head_dim: int
    width: int
    size: int
    block: int = 1
    block_settings: int = 1 << 16

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
    set of tables, steps and means, as protected tokens have finer steps.
    """

    lengths: Sequence[int]
    runs: Sequence[Run]
    setting: int = 0

    @property
    def tokens(self) -> int:
        """Of each of its streams."""
        return sum(run.count for run in self.runs)


@dataclass(frozen=True, slots=True)
class RowsPlan:
    """Streams whose rows are of one kind, and the transforms behind them.

    `streams`: see `coder.Field`. `units`: see `transform.Unit`. `blocks`: see `blocks.Blocks`,
    empty where rows are tokens. `room`: elements that the streams decode to. `most`: rows of any
    stream. `longest`: tokens of any, in whole groups of 32.
    """

    streams: Table
    units: Table
    blocks: Table
    room: int
    most: int
    longest: int


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """What to do with streams of tokens and with those of blocks.

    `order`: of each stream in the buffer its number, tokens' first. `room`: values of all tokens.
    """

    tokens: RowsPlan
    blocks: RowsPlan
    order: Table
    room: int
    words: int
    capacity: int


def plan_layer(pieces: Sequence[Piece], geometry: Geometry, capacity: int) -> LayerPlan:
    """Plan a layer whose cache is [2, kv_heads, capacity, head_dim], keys first.

    Row of `columns` for a stream: setting x geometry.streams + its number in the piece, the first
    of block settings as 0; row of steps and means for a transform: setting x geometry.transforms +
    its number. Raises `DamagedData` where lengths or runs cannot be.
    """
    for piece in pieces:
        _check(piece, geometry, capacity)
    lengths = np.array([piece.lengths for piece in pieces], np.int64).ravel()
    starts = np.cumsum(lengths // 2) - lengths // 2
    blocked = np.array([_blocked(piece, geometry) for piece in pieces], bool)
    planned: list[RowsPlan] = []
    begin = 0
    for kind in (False, True):
        chosen = [piece for piece, other in zip(pieces, blocked, strict=True) if other == kind]
        rows = _plan_rows(chosen, geometry, kind, begin, capacity)
        rows.streams[Field.START] = starts[np.repeat(blocked, geometry.streams) == kind]
        planned.append(rows)
        begin += _room([piece.tokens for piece in chosen], geometry)
    tokens, blocks = planned
    by_kind = np.argsort(np.repeat(blocked, geometry.streams), kind="stable")
    return LayerPlan(tokens, blocks, np.argsort(by_kind), begin, int(lengths.sum()) // 2, capacity)


def _plan_rows(
    pieces: Sequence[Piece], geometry: Geometry, blocked: bool, begin: int, capacity: int
) -> RowsPlan:
    """Plan pieces of one kind; their tokens' values begin at `begin`."""
    block = geometry.block if blocked else 1
    first = geometry.block_settings if blocked else 0
    count = geometry.streams
    rows = np.repeat(np.array([piece.tokens // block for piece in pieces], np.int64), count)
    settings = np.array([piece.setting for piece in pieces], np.int64)
    streams = describe(
        [length for piece in pieces for length in piece.lengths],
        rows.tolist(),
        ((settings - first)[:, None] * count + np.arange(count)).ravel().tolist(),
        block * geometry.width,
    )
    values = -(-rows * block // LANES) * LANES * geometry.width
    places = begin + np.cumsum(values) - values
    units = [
        unit
        for number, piece in enumerate(pieces)
        for unit in _units(piece, places[number * count :], geometry)
    ]
    table = np.array(units, np.int64).reshape(-1, len(Unit)).T.copy()
    # A transform's number is also its place among the heads of keys and values.
    head = table[Unit.MATRIX] * (geometry.size // geometry.head_dim)
    table[Unit.TARGET] = (head * capacity + table[Unit.TARGET]) * geometry.head_dim
    blocks = np.empty((len(Blocks), len(rows) if blocked else 0), np.int64)
    if blocked:
        blocks[Blocks.SOURCE] = streams[Field.PLACE]
        blocks[Blocks.ROWS] = rows
        blocks[Blocks.TARGET] = places
        kind = np.arange(count) // (count // 2)
        blocks[Blocks.BASIS] = ((settings - first)[:, None] * 2 + kind).ravel()
    return RowsPlan(
        streams,
        table,
        blocks,
        room(streams, block * geometry.width),
        int(rows.max(initial=0)),
        int(table[Unit.PADDED].max(initial=0)),
    )


def _blocked(piece: Piece, geometry: Geometry) -> bool:
    return piece.setting >= geometry.block_settings


def _room(tokens: Sequence[int], geometry: Geometry) -> int:
    """Values of streams of so many tokens each, in decoding order."""
    groups = sum(-(-count // LANES) for count in tokens)
    return groups * LANES * geometry.width * geometry.streams


def _check(piece: Piece, geometry: Geometry, capacity: int) -> None:
    if len(piece.lengths) != geometry.streams:
        raise DamagedData(f"{len(piece.lengths)} streams, not {geometry.streams}")
    if piece.setting < 0:
        raise DamagedData(f"setting: {piece.setting} is negative")
    if not piece.runs:
        raise DamagedData("a piece of streams without tokens")
    if _blocked(piece, geometry) and piece.tokens % geometry.block:
        raise DamagedData(f"{piece.tokens} tokens are not whole blocks")
    for run in piece.runs:
        if run.count < 1 or run.position < 0 or run.position + run.count > capacity:
            raise DamagedData(
                f"tokens: {run.count} at {run.position} do not fit a cache of {capacity}"
            )


def _units(piece: Piece, places: Table, geometry: Geometry) -> list[tuple[int, ...]]:
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
