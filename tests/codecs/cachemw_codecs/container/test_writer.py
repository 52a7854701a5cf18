from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.container.chunk import Chunk
from cachemw_codecs.container.header import Header
from cachemw_codecs.container.writer import seal, write
from cachemw_codecs.errors import InvalidInput, UnsupportedFormat
from cachemw_codecs.fingerprint import Fingerprint
from cachemw_codecs.kv import LayerKV

OWNER = Fingerprint(b"model-0123456789", b"tokenizer-012345", b"rope-0123456789a")


# Files are kept: a change here needs a new version, and this one read for as long as they are.
GOLDEN = (
    # magic, version, length of the header
    b"\x8aKVC\x01\x00\x6e\x00\x00\x00",
    # bfloat16, 2 layers, 1 head, 2 tokens, 2 values a head, 1 run of positions
    b"\x00\x02\x00\x01\x00\x02\x00\x00\x00\x02\x00\x01\x00\x00\x00",
    b"model-0123456789",
    b"tokenizer-012345",
    b"rope-0123456789a",
    # codec, level, no tables
    b"\x03raw\x03raw\x00",
    # 2 positions from 7
    b"\x07\x00\x00\x00\x02\x00\x00\x00",
    # 2 segments of 16 bytes
    b"\x10\x00\x00\x00\xff\xfb\x22\x27",
    b"\x10\x00\x00\x00\x85\x49\xa6\x80",
    b"\xdb\xcc\x8e\x97",
    # keys 0 1 2 3, values 0 -1 -2 -3; keys 1 2 3 4, values 0 1 2 3
    b"\x00\x00\x80\x3f\x00\x40\x40\x40\x00\x80\x80\xbf\x00\xc0\x40\xc0",
    b"\x80\x3f\x00\x40\x40\x40\x80\x40\x00\x00\x80\x3f\x00\x40\x40\x40",
)


def _chunk(tokens: int = 2) -> Chunk:
    keys = torch.arange(tokens * 2, dtype=torch.float32).reshape(1, tokens, 2).to(torch.bfloat16)
    return Chunk((LayerKV(keys, -keys), LayerKV(keys + 1, keys)), torch.arange(7, 7 + tokens))


class _Strange(Raw):
    """Writes what it is told to."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload

    def encode_layer(self, layer: int, kv: LayerKV, level: str) -> bytes:
        return self._payload


class _BadName(Raw):
    name: ClassVar[str] = "Raw!"


def test_the_format_is_that_of_the_files_already_written() -> None:
    assert write(_chunk(), Raw(), "raw", OWNER) == b"".join(GOLDEN)


def test_a_file_is_its_header_and_its_segments() -> None:
    data = write(_chunk(), Raw(), "raw", OWNER)
    header = Header.parse(data)
    assert header.total_bytes == len(data)
    payloads = [data[s.offset : s.offset + s.length] for s in header.segments]
    layers = _chunk().layers
    assert payloads == [Raw().encode_layer(i, kv, "raw") for i, kv in enumerate(layers)]
    assert seal(header, payloads) == data


@pytest.mark.parametrize("length", [0, 1])
def test_what_no_reader_would_accept_is_not_written(length: int) -> None:
    with pytest.raises(InvalidInput, match=f"layer 0: {length} bytes cannot hold"):
        write(_chunk(600), _Strange(bytes(length)), "raw", OWNER)
    assert write(_chunk(600), _Strange(bytes(2)), "raw", OWNER)


def test_names_and_hashes_have_to_fit_the_format() -> None:
    with pytest.raises(InvalidInput, match="names: 'Raw!'"):
        write(_chunk(), _BadName(), "raw", OWNER)
    codec = Raw()
    codec.tables_hash = b"short"
    with pytest.raises(InvalidInput, match="tables_hash: 5 bytes"):
        write(_chunk(), codec, "raw", OWNER)


def test_an_unknown_level_is_said_before_anything_is_encoded() -> None:
    with pytest.raises(UnsupportedFormat, match="no level 'best'"):
        write(_chunk(), Raw(), "best", OWNER)


class _Placed(Raw):
    """Notes where its chunks are said to stand."""

    def __init__(self) -> None:
        self.places: list[tuple[bool, bool]] = []

    def placed(self, *, begins: bool, ends: bool) -> Raw:
        self.places.append((begins, ends))
        return self


def test_codecs_learn_where_in_its_context_a_chunk_stands() -> None:
    codec, middle = _Placed(), _chunk()
    first = Chunk(middle.layers, torch.arange(2))
    write(middle, codec, "raw", OWNER)
    write(first, codec, "raw", OWNER, ends_context=False)
    write(middle, codec, "raw", OWNER, begins_context=True)
    assert codec.places == [(False, True), (True, False), (True, True)]
