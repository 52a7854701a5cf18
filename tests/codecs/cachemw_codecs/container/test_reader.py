from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import pytest
import torch
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.container.chunk import Chunk
from cachemw_codecs.container.header import Header
from cachemw_codecs.container.reader import FIRST_READ, Reader, read_all
from cachemw_codecs.container.sources import Read, of_bytes
from cachemw_codecs.container.writer import seal, write
from cachemw_codecs.errors import (
    CodecError,
    DamagedData,
    TablesMissing,
    UnsupportedFormat,
    WrongModel,
)
from cachemw_codecs.fingerprint import Fingerprint
from cachemw_codecs.kv import LayerKV
from hypothesis import given, settings
from hypothesis import strategies as st

OWNER = Fingerprint.of("model", "tokenizer", {"theta": 1e4})


class _Tabled(Raw):
    """Raw bytes that pretend to need tables."""

    name: ClassVar[str] = "tabled"
    tables_hash = b"h" * 16


def _open(name: str, tables_hash: bytes) -> Codec:
    for codec in (Raw(), _Tabled()):
        if codec.name == name:
            if codec.tables_hash != tables_hash:
                raise TablesMissing(f"the tables {tables_hash.hex()} of {name}")
            return codec
    raise UnsupportedFormat(f"codec {name}")


def _chunk(
    layers: int = 3,
    shape: tuple[int, int, int] = (2, 50, 8),
    dtype: torch.dtype = torch.bfloat16,
    positions: list[int] | None = None,
) -> Chunk:
    noise = torch.Generator().manual_seed(7)
    parts = torch.randn((layers, 2, *shape), generator=noise).to(dtype)
    at = torch.tensor(positions) if positions else torch.arange(shape[1])
    return Chunk(tuple(LayerKV(keys, values) for keys, values in parts), at)


def _same(one: LayerKV, other: LayerKV) -> bool:
    return all(
        a.dtype == b.dtype and torch.equal(a, b)
        for a, b in ((one.keys, other.keys), (one.values, other.values))
    )


def _forged(data: bytes, change: Callable[[Header], Header]) -> bytes:
    header = Header.parse(data)
    payloads = [data[s.offset : s.offset + s.length] for s in header.segments]
    return seal(change(header), payloads)


def _recorded(data: bytes) -> tuple[Read, list[tuple[int, int]]]:
    reads: list[tuple[int, int]] = []

    def read(offset: int, length: int) -> bytes:
        reads.append((offset, length))
        return of_bytes(data)(offset, length)

    return read, reads


@st.composite
def _chunks(draw: st.DrawFn) -> Chunk:
    positions = draw(st.sets(st.integers(0, 30) | st.integers(0, 2**31 - 1), min_size=1))
    shape = (draw(st.integers(1, 3)), len(positions), draw(st.integers(1, 9)))
    dtype = draw(st.sampled_from([torch.bfloat16, torch.float16, torch.float32]))
    return _chunk(draw(st.integers(1, 5)), shape, dtype, sorted(positions))


@given(_chunks(), st.sampled_from([Raw(), _Tabled()]))
@settings(deadline=None)
def test_there_and_back(chunk: Chunk, codec: Codec) -> None:
    data = write(chunk, codec, "raw", OWNER)
    again = read_all(data, _open, OWNER)
    assert torch.equal(again.positions, chunk.positions)
    assert len(again.layers) == len(chunk.layers)
    assert all(map(_same, again.layers, chunk.layers))
    assert write(again, codec, "raw", OWNER) == data


def test_a_layer_reads_its_own_bytes_only() -> None:
    chunk = _chunk()
    data = write(chunk, Raw(), "raw", OWNER)
    read, reads = _recorded(data)
    reader = Reader(read, _open, OWNER)
    assert reads == [(0, FIRST_READ)]
    for number in (2, 0):
        reads.clear()
        assert _same(reader.layer(number), chunk.layers[number])
        segment = reader.header.segments[number]
        assert reads == [(segment.offset, segment.length)]
        assert data[segment.offset :][: segment.length] == reader.payload(number)


def test_a_longer_header_takes_a_second_read() -> None:
    data = write(_chunk(200, (1, 1, 1)), Raw(), "raw", OWNER)
    read, reads = _recorded(data)
    header = Reader(read, _open, OWNER).header
    length = header.segments[0].offset
    assert length > FIRST_READ
    assert reads == [(0, FIRST_READ), (FIRST_READ, length - FIRST_READ)]


def test_one_damaged_layer_leaves_the_others_readable() -> None:
    chunk = _chunk()
    data = bytearray(write(chunk, Raw(), "raw", OWNER))
    data[Header.parse(bytes(data)).segments[1].offset] ^= 1
    reader = Reader(of_bytes(bytes(data)), _open, OWNER)
    assert _same(reader.layer(0), chunk.layers[0])
    assert _same(reader.layer(2), chunk.layers[2])
    with pytest.raises(DamagedData, match="layer 1: its checksum differs"):
        reader.layer(1)
    unverified = Reader(of_bytes(bytes(data)), _open, OWNER, verify=False)
    assert not _same(unverified.layer(1), chunk.layers[1])
    with pytest.raises(DamagedData, match="layer 1: its checksum differs"):
        read_all(bytes(data), _open, OWNER)
    assert len(read_all(bytes(data), _open, OWNER, verify=False).layers) == 3


@pytest.mark.parametrize("number", [-1, 3])
def test_a_layer_that_is_not_there(number: int) -> None:
    reader = Reader(of_bytes(write(_chunk(), Raw(), "raw", OWNER)), _open, OWNER)
    with pytest.raises(IndexError, match=f"layer {number} of 3"):
        reader.layer(number)


DATA = write(_chunk(2, (1, 3, 2)), Raw(), "raw", OWNER)


@given(st.integers(0, len(DATA) - 1))
@settings(deadline=None)
def test_every_truncated_file_is_refused(length: int) -> None:
    with pytest.raises(DamagedData):
        read_all(DATA[:length], _open, OWNER)


@given(st.binary(min_size=1, max_size=9))
@settings(deadline=None)
def test_every_extended_file_is_refused(more: bytes) -> None:
    with pytest.raises(DamagedData, match="its header says"):
        read_all(DATA + more, _open, OWNER)


def test_every_flipped_bit_is_noticed() -> None:
    for place in range(8 * len(DATA)):
        changed = bytearray(DATA)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises((DamagedData, UnsupportedFormat)):
            read_all(bytes(changed), _open, OWNER)


def test_a_cut_segment_is_said_by_its_layer() -> None:
    cut = Reader(of_bytes(DATA[:-1]), _open, OWNER)
    cut.layer(0)
    with pytest.raises(DamagedData, match="layer 1: 24 bytes long, only 23 are there"):
        cut.layer(1)


@pytest.mark.parametrize("field", ["model", "tokenizer", "rope"])
def test_the_kv_of_another_model_is_refused(field: str) -> None:
    other = replace(OWNER, **{field: b"another-one-0123"})
    with pytest.raises(WrongModel, match=field):
        read_all(DATA, _open, other)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda h: replace(h, codec="newer"), UnsupportedFormat, "codec newer"),
        (lambda h: replace(h, level="finest"), UnsupportedFormat, "no level 'finest'"),
        (lambda h: replace(h, version=2), UnsupportedFormat, "version 2"),
        (lambda h: replace(h, tables_hash=b"x" * 16), TablesMissing, "the tables 7878"),
        (lambda h: replace(h, codec="tabled"), TablesMissing, "the tables  of tabled"),
        (
            lambda h: replace(h, shape=replace(h.shape, head_dim=3)),
            DamagedData,
            "layer: 36 bytes expected, 24 left",
        ),
        (
            lambda h: replace(h, shape=replace(h.shape, head_dim=1)),
            DamagedData,
            "12 bytes too many",
        ),
    ],
)
def test_well_sealed_files_that_cannot_be_read(
    change: Callable[[Header], Header], error: type[CodecError], message: str
) -> None:
    with pytest.raises(error, match=message):
        read_all(_forged(DATA, change), _open, OWNER)


def test_an_opener_that_gives_another_codec_is_noticed() -> None:
    with pytest.raises(TablesMissing, match="another codec or other tables"):
        read_all(DATA, lambda name, tables_hash: _Tabled(), OWNER)


def test_what_may_be_decoded_has_a_limit() -> None:
    assert read_all(DATA, _open, OWNER, max_decoded_bytes=48)
    with pytest.raises(DamagedData, match="decodes to 48 bytes, 47 allowed"):
        read_all(DATA, _open, OWNER, max_decoded_bytes=47)


def test_errors_of_the_source_pass_through() -> None:
    def read(offset: int, length: int) -> bytes:
        raise OSError("no route")

    with pytest.raises(OSError, match="no route"):
        Reader(read, _open, OWNER)
