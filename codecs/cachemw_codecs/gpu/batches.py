"""Which rows of which chunks go through the encoder together, and which bytes are whose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cachemw_codecs.gpu.coder import Encoded, Field, describe
from cachemw_codecs.gpu.plan import Geometry
from cachemw_codecs.transform.blocks import BLOCK
from cachemw_codecs.transform.zones import BODY, by_block, pieces

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Placed:
    """Piece `number` of chunk `chunk`: `tokens` tokens from `start` of all chunks' together."""

    chunk: int
    number: int
    start: int
    tokens: int
    setting: int

    @property
    def blocked(self) -> bool:
        """Whether its rows are blocks."""
        return by_block(self.setting)

    @property
    def rows(self) -> int:
        """Of each of its streams."""
        return self.tokens // BLOCK if self.blocked else self.tokens


def place_chunks(
    sizes: Sequence[int], begins_context: bool, ends_context: bool
) -> list[list[Placed]]:
    """Cut chunks of `sizes` tokens, that lie back to back, into pieces.

    `begins_context`: whether the first chunk does; `ends_context`: whether the last does. No other
    can.
    """
    chunks, start = [], 0
    for chunk, size in enumerate(sizes):
        begins, ends = chunk == 0, chunk == len(sizes) - 1
        zones = pieces(size, begins_context and begins, ends_context and ends)
        chunks.append(
            [
                Placed(chunk, number, start + zone.start, zone.tokens, zone.setting)
                for number, zone in enumerate(zones)
            ]
        )
        start += size
    return chunks


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Pieces whose rows are of one kind, by setting; symbols lie setting by setting.

    Of a setting they are [streams of a piece, rows of all its pieces, columns].
    """

    placed: tuple[Placed, ...]
    geometry: Geometry
    columns: int

    @classmethod
    def of(cls, placed: Sequence[Placed], geometry: Geometry) -> RowBatch:
        """Take pieces that are all of blocks, or none."""
        block = geometry.block if placed[0].blocked else 1
        ordered = sorted(placed, key=lambda one: (one.setting, one.start))
        return cls(tuple(ordered), geometry, block * geometry.width)

    def by_setting(self) -> Iterator[tuple[int, list[Placed]]]:
        """Yield each setting that there is, and its pieces."""
        for setting in sorted({one.setting for one in self.placed}):
            yield setting, [one for one in self.placed if one.setting == setting]

    def tokens_by_setting(self) -> Iterator[tuple[int, Numbers]]:
        """Yield each setting and the tokens that have it."""
        for setting, placed in self.by_setting():
            yield (
                setting,
                np.concatenate([np.arange(one.start, one.start + one.tokens) for one in placed]),
            )

    def described(self) -> Numbers:
        """Describe all streams for `coder.encode`: piece by piece in the order of `placed`."""
        count = self.geometry.streams
        numbers = np.arange(count)
        rows, tables, places = [], [], []
        begin = 0
        for setting, placed in self.by_setting():
            total = sum(one.rows for one in placed)
            first = 0
            for one in placed:
                rows += [one.rows] * count
                own = setting - BODY if one.blocked else setting
                tables += (own * count + numbers).tolist()
                places += (begin + (numbers * total + first) * self.columns).tolist()
                first += one.rows
            begin += count * total * self.columns
        streams = describe([0] * len(rows), rows, tables, self.columns)
        streams[Field.PLACE] = places
        return streams

    def located(self, flat: Numbers) -> Numbers:
        """From ascending indices of symbols to piece in `placed`, stream of it and place there.

        Returns int64 [3, n].
        """
        found = np.empty((3, len(flat)), np.int64)
        begin = piece = 0
        for _, placed in self.by_setting():
            rows = np.array([one.rows for one in placed])
            size = self.geometry.streams * int(rows.sum()) * self.columns
            here = slice(*np.searchsorted(flat, [begin, begin + size]))
            stream, rest = np.divmod(flat[here] - begin, int(rows.sum()) * self.columns)
            row, column = np.divmod(rest, self.columns)
            which = np.searchsorted(np.cumsum(rows), row, side="right")
            within = row - (np.cumsum(rows) - rows)[which]
            found[:, here] = np.stack([piece + which, stream, within * self.columns + column])
            begin, piece = begin + size, piece + len(placed)
        return found


@dataclass(frozen=True, slots=True)
class Coded:
    """A batch's streams on the host. `starts`: of its pieces and the end, in words.

    `escapes`: int64 [4, n] of chunk, stream in the chunk, place and value.
    """

    content: bytes
    lengths: Numbers
    starts: Numbers
    index: dict[tuple[int, int], int]
    escapes: Numbers

    @classmethod
    def of(
        cls, batch: RowBatch, encoded: Encoded, where: Numbers, values: NDArray[np.int16]
    ) -> Coded:
        """Bring them there; `where`, `values`: indices and values of escapes among the symbols."""
        count = batch.geometry.streams
        lengths = encoded.lengths.cpu().numpy().reshape(-1, count)
        starts = np.concatenate([[0], np.cumsum(lengths.sum(axis=1))])
        piece, stream, place = batch.located(where)
        chunks = np.array([one.chunk for one in batch.placed])
        numbers = np.array([one.number for one in batch.placed])
        escapes = np.stack([chunks[piece], numbers[piece] * count + stream, place, values])
        index = {(one.chunk, one.number): i for i, one in enumerate(batch.placed)}
        return cls(encoded.words.cpu().numpy().tobytes(), lengths, starts, index, escapes)

    def piece(self, placed: Placed) -> tuple[tuple[int, ...], bytes]:
        """Return the lengths of a piece's streams, in bytes, and the streams."""
        at = self.index[placed.chunk, placed.number]
        begin, end = 2 * int(self.starts[at]), 2 * int(self.starts[at + 1])
        return tuple((2 * self.lengths[at]).tolist()), self.content[begin:end]

    def escapes_of(self, chunk: int) -> Numbers:
        """Return int64 [3, n] of stream, place and value."""
        return self.escapes[1:, self.escapes[0] == chunk]
