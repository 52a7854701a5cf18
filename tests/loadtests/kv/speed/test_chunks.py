from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("triton")

from cachemw_codecs.gpu.coder import Field
from cachemw_codecs.gpu.transform import Unit

from loadtests.kv.speed.chunks import Chunks
from loadtests.kv.speed.inputs import GEOMETRY

CHUNKS = Chunks(tokens=96, size=32)
STREAMS, WIDTH = GEOMETRY.streams, GEOMETRY.width


def test_every_symbol_belongs_to_one_stream() -> None:
    described = CHUNKS.described()
    seen = np.zeros((2 * CHUNKS.tokens, GEOMETRY.channels), int)
    for place, tokens in zip(described[Field.PLACE], described[Field.TOKENS], strict=True):
        row, column = divmod(int(place), GEOMETRY.channels)
        seen[row : row + tokens, column : column + WIDTH] += 1
    assert (seen == 1).all()


def test_escapes_point_at_the_symbol_that_they_replace() -> None:
    flat = np.array([0, 5, 40 * GEOMETRY.channels + 300, 2 * CHUNKS.tokens * GEOMETRY.channels - 1])
    stream, index, value = CHUNKS.place_escapes(flat, np.arange(4))
    token, column = np.divmod(index, WIDTH)
    found = CHUNKS.described()[Field.PLACE][stream] + token * GEOMETRY.channels + column
    np.testing.assert_array_equal(found, flat)
    assert value.tolist() == [0, 1, 2, 3]


def test_chunks_are_decoded_to_their_places() -> None:
    plan = CHUNKS.plan([2 * n for n in range(3 * STREAMS)])
    head = CHUNKS.tokens * GEOMETRY.head_dim
    targets = [
        kind * GEOMETRY.kv_heads * head + chunk * 32 * GEOMETRY.head_dim
        for chunk in range(3)
        for kind in range(2)
    ]
    assert plan.tokens.units[Unit.TARGET].tolist() == targets
    assert CHUNKS.bf16_bytes == 2 * 2 * GEOMETRY.kv_heads * head
