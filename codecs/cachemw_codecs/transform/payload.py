"""The bytes of one layer.

Little-endian:

    pieces          u16
    escapes         u32
    each piece      u32 tokens, u8 setting, then u16 a stream: its length in 16-bit words
    each escape     u32 stream, u16 place in it (row x columns + column), i16 value
    the streams     piece by piece; of each the keys', then the values'

A stream (`coding.rans`) has `stream_width` channels of one piece. Where the setting takes tokens by
the block, a row is a block and its columns are those channels at frequency 0, then 1, ...; else a
row is a token. Every length is checked before anything is made of it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cachemw_codecs.errors import DamagedData
from cachemw_codecs.transform.blocks import BLOCK
from cachemw_codecs.transform.zones import LONGEST, SETTINGS, by_block

_HEAD = struct.Struct("<HI")
_ESCAPE = np.dtype([("stream", "<u4"), ("place", "<u2"), ("value", "<i2")])
WIDEST = 128
"""Most channels of a stream: with `LONGEST` tokens its places fit 16 bits."""
_FEW_PIECES = 16
_TOKENS_A_PIECE = 64
"""No layer has more pieces than the few, and one more for so many tokens; `zones.pieces` needs 7,
and one more for 512."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Streams over the same tokens; `lengths` in bytes."""

    tokens: int
    setting: int
    lengths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Escapes:
    """Three arrays of one length: which stream (ascending), which place in it, which value."""

    stream: NDArray[np.int64]
    place: NDArray[np.int64]
    value: NDArray[np.int16]


class EscapeList:
    """Escapes as they are found, stream by stream."""

    def __init__(self) -> None:
        self._found: list[Escapes] = []

    def add(self, stream: int, places: NDArray[np.int64], values: NDArray[np.int16]) -> None:
        """Add those of the next stream."""
        self._found.append(Escapes(np.full(len(places), stream), places, values))

    def joined(self) -> Escapes:
        """Return them all."""
        return Escapes(
            np.concatenate([one.stream for one in self._found]),
            np.concatenate([one.place for one in self._found]),
            np.concatenate([one.value for one in self._found]),
        )


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream's bytes, and where its escapes are."""

    coded: memoryview
    places: NDArray[np.int64]
    values: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Payload:
    """A layer taken apart. `streams`: the bytes of all of them, back to back."""

    pieces: tuple[Piece, ...]
    escapes: Escapes
    streams: memoryview

    def each_stream(self) -> Iterator[Stream]:
        """Yield the streams in order."""
        begin = number = first = 0
        for length in (length for piece in self.pieces for length in piece.lengths):
            last = int(np.searchsorted(self.escapes.stream, number, side="right"))
            yield Stream(
                self.streams[begin : begin + length],
                self.escapes.place[first:last],
                self.escapes.value[first:last],
            )
            begin, number, first = begin + length, number + 1, last


def stream_width(channels: int) -> int:
    """Return the channels of a stream: the largest divisor of `channels` within `WIDEST`."""
    return max(width for width in range(1, min(channels, WIDEST) + 1) if channels % width == 0)


def write(pieces: Sequence[Piece], escapes: Escapes, streams: Sequence[bytes]) -> bytes:
    """Put a layer together."""
    head = [_HEAD.pack(len(pieces), len(escapes.place))]
    for piece in pieces:
        head.append(struct.pack("<IB", piece.tokens, piece.setting))
        head.append((np.array(piece.lengths) // 2).astype("<u2").tobytes())
    listed = np.empty(len(escapes.place), _ESCAPE)
    listed["stream"], listed["place"] = escapes.stream, escapes.place
    listed["value"] = escapes.value
    return b"".join([*head, listed.tobytes(), *streams])


def read(data: bytes | memoryview, tokens: int, channels: int, width: int) -> Payload:
    """Take a layer of `tokens` apart; raises `DamagedData` naming what is wrong."""
    view = memoryview(data)
    streams_a_piece = 2 * (channels // width)
    if len(view) < _HEAD.size:
        raise DamagedData(f"layer: {len(view)} bytes are less than its head")
    count, escaped = _HEAD.unpack_from(view)
    # A piece costs work of its own, and room for 32 rows on a GPU: of many small ones, too much.
    if count > _FEW_PIECES + tokens // _TOKENS_A_PIECE:
        raise DamagedData(f"layer: {count} pieces for {tokens} tokens")
    size = 5 + 2 * streams_a_piece
    streams_at = _HEAD.size + count * size + escaped * _ESCAPE.itemsize
    if streams_at > len(view):
        raise DamagedData(
            f"layer: {count} pieces and {escaped} escapes do not fit {len(view)} bytes"
        )
    pieces = tuple(_piece(view[_HEAD.size + i * size :][:size]) for i in range(count))
    _check_pieces(pieces, tokens)
    rest = view[streams_at:]
    if sum(sum(piece.lengths) for piece in pieces) != len(rest):
        raise DamagedData(f"layer: the streams' lengths do not sum to {len(rest)} bytes")
    listed = np.frombuffer(view[_HEAD.size + count * size : streams_at], _ESCAPE)
    return Payload(pieces, _escapes(listed, pieces, streams_a_piece, width), rest)


def _piece(view: memoryview) -> Piece:
    tokens, setting = struct.unpack_from("<IB", view)
    lengths = np.frombuffer(view[5:], "<u2").astype(np.int64) * 2
    return Piece(tokens, setting, tuple(lengths.tolist()))


def _check_pieces(pieces: Sequence[Piece], tokens: int) -> None:
    for number, piece in enumerate(pieces):
        known = 1 <= piece.tokens <= LONGEST and piece.setting < SETTINGS
        if not known or (by_block(piece.setting) and piece.tokens % BLOCK):
            raise DamagedData(
                f"piece {number}: {piece.tokens} tokens with setting {piece.setting} cannot be"
            )
    if sum(piece.tokens for piece in pieces) != tokens:
        raise DamagedData(f"layer: its pieces do not have {tokens} tokens together")


def _escapes(
    listed: NDArray[np.void], pieces: Sequence[Piece], streams_a_piece: int, width: int
) -> Escapes:
    stream, place = listed["stream"].astype(np.int64), listed["place"].astype(np.int64)
    rooms = np.repeat([piece.tokens * width for piece in pieces], streams_a_piece)
    if len(stream):
        if int(stream[-1]) >= len(rooms) or bool((np.diff(stream) < 0).any()):
            raise DamagedData(f"escapes: not in the order of the {len(rooms)} streams")
        if bool((place >= rooms[stream]).any()):
            raise DamagedData("escapes: a place outside of its stream")
    return Escapes(stream, place, listed["value"].astype(np.int16))
