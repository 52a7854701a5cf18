from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from cachemw_codecs.container.header import Header, Segment
from cachemw_codecs.errors import CodecError, DamagedData, UnsupportedFormat
from cachemw_codecs.fingerprint import Fingerprint
from cachemw_codecs.kv import LayerShape

HEADER = Header(
    codec="transform",
    level="medium",
    tables_hash=b"t" * 16,
    fingerprint=Fingerprint(b"m" * 16, b"v" * 16, b"r" * 16),
    shape=LayerShape(8, 1500, 128, torch.bfloat16),
    runs=np.array([[0, 4], [9000, 1496]], np.int64),
    segments=tuple(Segment(0, 5000 + layer, 0xFFFFFFFF - layer) for layer in range(32)),
)
# Where fields stand: see layout.py.
DTYPE, LAYERS, HEADS, TOKENS, DIM, RUNS, NAME = 10, 11, 13, 15, 19, 21, 73


def _resealed(body: bytes | bytearray) -> bytes:
    """Set the length and the checksum of a header, given without its checksum."""
    sized = bytes(body[:6]) + (len(body) + 4).to_bytes(4, "little") + bytes(body[10:])
    return sized + zlib.crc32(sized).to_bytes(4, "little")


def _with(at: int, value: bytes) -> bytes:
    body = bytearray(HEADER.packed()[:-4])
    body[at : at + len(value)] = value
    return _resealed(body)


def test_there_and_back() -> None:
    again = Header.parse(HEADER.packed() + b"what follows")
    for name in ("version", "codec", "level", "tables_hash", "fingerprint", "shape"):
        assert getattr(again, name) == getattr(HEADER, name)
    assert (again.layers, again.kv_heads, again.tokens, again.head_dim) == (32, 8, 1500, 128)
    assert again.dtype == torch.bfloat16
    assert again.runs.tolist() == HEADER.runs.tolist()
    assert again.positions.tolist() == [0, 1, 2, 3, *range(9000, 10496)]
    assert again.decoded_bytes == 32 * 2 * 8 * 1500 * 128 * 2


def test_segments_follow_one_another_behind_the_header() -> None:
    packed = HEADER.packed()
    again = Header.parse(packed)
    end = len(packed)
    for layer, segment in enumerate(again.segments):
        assert segment == Segment(end, 5000 + layer, 0xFFFFFFFF - layer)
        end += segment.length
    assert again.total_bytes == end


def test_the_usual_chunk_of_32_layers_has_a_header_of_so_many_bytes() -> None:
    assert len(replace(HEADER, runs=HEADER.runs[:1]).packed()) == 73 + 10 + 7 + 17 + 8 + 32 * 8 + 4


def test_every_changed_bit_is_noticed() -> None:
    packed = HEADER.packed()
    for place in range(8 * len(packed)):
        changed = bytearray(packed)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises((DamagedData, UnsupportedFormat)):
            Header.parse(bytes(changed))


def test_every_cut_is_noticed() -> None:
    packed = HEADER.packed()
    for length in range(len(packed)):
        with pytest.raises(DamagedData):
            Header.parse(packed[:length])


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (_with(DTYPE, b"\x03"), UnsupportedFormat, "dtype number 3"),
        (_with(LAYERS, b"\0\0"), DamagedData, "0 layers"),
        (_with(LAYERS, b"\x01\x10"), DamagedData, "4097 layers"),
        (_with(LAYERS, b"\x1f\0"), DamagedData, "do not fill it"),
        (_with(LAYERS, b"\xff\x0f"), DamagedData, "do not fill it"),
        (_with(HEADS, b"\0\0"), DamagedData, "kv_heads x head_dim: 0 x 128"),
        (_with(HEADS, b"\xff\xff"), DamagedData, "kv_heads x head_dim: 65535 x 128"),
        (_with(DIM, b"\0\0"), DamagedData, "kv_heads x head_dim: 8 x 0"),
        (_with(TOKENS, b"\0\0\0\0"), DamagedData, "tokens: 0"),
        (_with(TOKENS, b"\xff\xff\xff\xff"), DamagedData, "tokens: 4294967295"),
        (_with(TOKENS, b"\0\x01\0\0"), DamagedData, "do not make 256 tokens"),
        (_with(RUNS, b"\0\0\0\0"), DamagedData, "0 runs"),
        (_with(RUNS, b"\xff\xff\xff\xff"), DamagedData, "4294967295 runs"),
        (_with(RUNS, b"\x01\0\0\0"), DamagedData, "do not fill it"),
        (_with(NAME, b"\x00"), DamagedData, "the codec's name is not a name"),
        (_with(NAME, b"\xff"), DamagedData, "ends inside|is not a name"),
        (_with(NAME + 1, b"T"), DamagedData, "the codec's name is not a name"),
        (_with(NAME + 17, b"\x0f"), DamagedData, "hash of 15 bytes"),
        (_with(NAME + 34, b"\xff\xff\xff\xff"), DamagedData, "do not make|overlap"),
        (_resealed(HEADER.packed()[:-4] + bytes(8)), DamagedData, "do not fill it"),
        (_resealed(HEADER.packed()[:-12]), DamagedData, "do not fill it"),
        (_resealed(HEADER.packed()[:40]), DamagedData, "ends inside the model's fing"),
        (_resealed(HEADER.packed()[:41]), DamagedData, "ends inside the tokenizer's fing"),
        (_resealed(HEADER.packed()[:12]), DamagedData, "ends inside the shape"),
    ],
)
def test_forged_headers_are_refused(data: bytes, error: type[CodecError], message: str) -> None:
    with pytest.raises(error, match=message):
        Header.parse(data)


def test_a_small_file_cannot_claim_a_large_tensor() -> None:
    large = LayerShape(1, 1 << 20, 1 << 15, torch.float32)
    runs = np.array([[0, 1 << 20]], np.int64)
    for length in (0, 1000, large.nbytes // 4096 - 1):
        forged = replace(HEADER, shape=large, runs=runs, segments=(Segment(0, length, 0),))
        with pytest.raises(DamagedData, match=f"layer 0: {length} bytes cannot hold"):
            Header.parse(forged.packed())
