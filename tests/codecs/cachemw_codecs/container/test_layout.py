from __future__ import annotations

import pytest
import torch
from cachemw_codecs.container.layout import (
    MAX_EXPANSION,
    MAX_HEADER_BYTES,
    PREFIX,
    header_length,
    require_expansion,
)
from cachemw_codecs.errors import CodecError, DamagedData, UnsupportedFormat
from cachemw_codecs.kv import LayerShape


def test_the_first_bytes_say_how_long_the_header_is() -> None:
    assert header_length(PREFIX.pack(b"\x8aKVC", 1, 140)) == 140
    assert header_length(PREFIX.pack(b"\x8aKVC", 1, MAX_HEADER_BYTES) + b"more") == MAX_HEADER_BYTES


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", DamagedData, "only 0 bytes"),
        (b"\x8aKVC\x01\x00\x8c\x00\x00", DamagedData, "only 9 bytes"),
        (PREFIX.pack(b"PK\x03\x04", 1, 140), DamagedData, "does not begin like"),
        (PREFIX.pack(b"\x8aKVC", 2, 140), UnsupportedFormat, "version 2 .* reads 1"),
        (PREFIX.pack(b"\x8aKVC", 1, 14), DamagedData, "length of 14 bytes"),
        (PREFIX.pack(b"\x8aKVC", 1, MAX_HEADER_BYTES + 1), DamagedData, "length of"),
    ],
)
def test_what_is_no_beginning_is_refused(
    data: bytes, error: type[CodecError], message: str
) -> None:
    with pytest.raises(error, match=message):
        header_length(data)


def test_a_segment_decodes_to_so_many_times_its_length() -> None:
    shape = LayerShape(2, 512, 64, torch.bfloat16)
    enough = shape.nbytes // MAX_EXPANSION
    require_expansion(0, enough, shape)
    with pytest.raises(DamagedData, match="layer 7: 63 bytes cannot hold 262144"):
        require_expansion(7, enough - 1, shape)
