from __future__ import annotations

import struct
import tracemalloc

import numpy as np
import pytest
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.transform.blocks import BLOCK
from cachemw_codecs.transform.payload import (
    WIDEST,
    EscapeList,
    Escapes,
    Payload,
    Piece,
    read,
    stream_width,
    write,
)
from cachemw_codecs.transform.zones import BODY, LONGEST, LOOSE, SETTINGS, by_block
from hypothesis import given
from hypothesis import strategies as st

WIDTH = 4
HEAD = 6
NO_ESCAPES = Escapes(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int16))


@st.composite
def layers(draw: st.DrawFn) -> tuple[int, list[Piece], Escapes, list[bytes]]:
    """Draw channels, pieces, escapes and streams."""
    channels = WIDTH * draw(st.integers(1, 3))
    each = 2 * channels // WIDTH
    pieces, escapes = [], EscapeList()
    streams: list[bytes] = []
    for _ in range(draw(st.integers(1, 4))):
        setting = draw(st.integers(0, SETTINGS - 1))
        unit = BLOCK if by_block(setting) else 1
        tokens = unit * draw(st.integers(1, LONGEST // unit))
        made = [bytes(2 * draw(st.integers(0, 20))) for _ in range(each)]
        for one in made:
            rooms = st.lists(st.integers(0, tokens * WIDTH - 1), unique=True, max_size=4)
            places = np.array(sorted(draw(rooms)), np.int64)
            values = np.array([draw(st.integers(-32767, 32767)) for _ in places], np.int16)
            escapes.add(len(streams), places, values)
            streams.append(draw(st.binary(min_size=len(one), max_size=len(one))))
        pieces.append(Piece(tokens, setting, tuple(len(one) for one in made)))
    return channels, pieces, escapes.joined(), streams


@given(layer=layers())
def test_a_layer_comes_apart_as_it_was_put_together(
    layer: tuple[int, list[Piece], Escapes, list[bytes]],
) -> None:
    channels, pieces, escapes, streams = layer
    tokens = sum(piece.tokens for piece in pieces)
    back = read(write(pieces, escapes, streams), tokens, channels, WIDTH)
    assert list(back.pieces) == pieces
    found = list(back.each_stream())
    assert [bytes(one.coded) for one in found] == streams
    for number, one in enumerate(found):
        of_it = escapes.stream == number
        assert one.places.tolist() == escapes.place[of_it].tolist()
        assert one.values.tolist() == escapes.value[of_it].tolist()


def escapes(*listed: tuple[int, int, int]) -> Escapes:
    stream, place, value = (np.array(column) for column in zip(*listed, strict=True))
    return Escapes(stream, place, value.astype(np.int16))


def layer(
    *pieces: tuple[int, int], listed: Escapes = NO_ESCAPES, lengths: tuple[int, ...] = (2, 4)
) -> bytes:
    made = [Piece(tokens, setting, lengths) for tokens, setting in pieces]
    return write(made, listed, [bytes(length) for _ in pieces for length in lengths])


def taken(data: bytes | memoryview, tokens: int = 20) -> Payload:
    return read(data, tokens, WIDTH, WIDTH)


def test_the_layout_is_as_documented() -> None:
    data = write([Piece(3, LOOSE, (2, 4))], escapes((1, 7, -300)), [b"ab", b"cdef"])
    expected = struct.pack("<HI", 1, 1) + struct.pack("<IBHH", 3, LOOSE, 1, 2)
    assert data == expected + struct.pack("<IHh", 1, 7, -300) + b"abcdef"


def test_well_formed_layers_are_read() -> None:
    good = layer((4, LOOSE), (16, BODY), listed=escapes((0, 15, 1), (3, 63, -1)))
    assert len(taken(good).pieces) == 2


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "0 bytes are less than its head"),
        (b"12345", "5 bytes are less than its head"),
        (struct.pack("<HI", 65535, 0), "65535 pieces"),
        (layer(*[(1, LOOSE)] * 20), "20 pieces for 20 tokens"),
        (struct.pack("<HI", 0, 2**32 - 1) + bytes(100), "4294967295 escapes"),
        (layer((4, LOOSE), (16, BODY))[:-2], "do not sum"),
        (layer((4, LOOSE), (16, BODY)) + b"\0\0", "do not sum"),
        (layer((4, LOOSE)), "do not have 20 tokens"),
        (layer((4, LOOSE), (32, BODY)), "do not have 20 tokens"),
        (struct.pack("<HI", 0, 0), "do not have 20 tokens"),
        (layer((20, BODY)), "piece 0: 20 tokens with setting 3"),
        (layer((4, LOOSE), (16, SETTINGS)), "piece 1: 16 tokens with setting 7"),
        (layer((0, LOOSE), (20, LOOSE)), "piece 0: 0 tokens"),
        (layer((2**32 - 1, LOOSE)), "piece 0: 4294967295 tokens"),
        (layer((LONGEST + BLOCK, BODY)), "piece 0: 528 tokens"),
        (layer((4, 2), (16, 3), listed=escapes((1, 0, 1), (0, 0, 1))), "order of the 4 streams"),
        (layer((4, 2), (16, 3), listed=escapes((4, 0, 1))), "order of the 4 streams"),
        (layer((4, 2), (16, 3), listed=escapes((1, 16, 1))), "place outside"),
        (layer((4, 2), (16, 3), listed=escapes((2, 64, 1))), "place outside"),
    ],
)
def test_each_kind_of_damage_is_named(data: bytes, says: str) -> None:
    with pytest.raises(DamagedData, match=says):
        taken(data)


@given(junk=st.binary(max_size=200), tokens=st.integers(1, 600))
def test_junk_is_damaged_or_of_the_right_length(junk: bytes, tokens: int) -> None:
    try:
        data = taken(junk, tokens)
    except DamagedData:
        return
    assert sum(piece.tokens for piece in data.pieces) == tokens


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<HI", 65535, 2**32 - 1) + bytes(100),
        struct.pack("<HI", 1, 0) + struct.pack("<IBHH", 2**32 - 1, BODY, 65535, 65535),
        struct.pack("<HI", 1, 1) + struct.pack("<IBHH", 16, BODY, 0, 0) + bytes(8),
    ],
)
def test_nothing_large_is_made_of_large_numbers(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DamagedData):
            taken(data, 1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200_000


def test_a_memoryview_is_read_without_a_copy() -> None:
    data = layer((20, LOOSE))
    back = taken(memoryview(data))
    assert back.streams.obj is data


@pytest.mark.parametrize(
    ("channels", "width"),
    [(1, 1), (64, 64), (128, 128), (192, 96), (576, 96), (1024, 128), (131, 1)],
)
def test_a_streams_width_divides_the_channels(channels: int, width: int) -> None:
    assert stream_width(channels) == width
    assert width <= WIDEST
    assert LONGEST * WIDEST <= 1 << 16
