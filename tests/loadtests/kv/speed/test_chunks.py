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
    seen = np.zeros(STREAMS * CHUNKS.tokens * WIDTH, int)
    for place, tokens in zip(described[Field.PLACE], described[Field.TOKENS], strict=True):
        seen[place : place + tokens * WIDTH] += 1
    assert (seen == 1).all()


def test_escapes_point_at_the_symbol_that_they_replace() -> None:
    flat = np.array([0, 5, 40 * WIDTH + 3, (CHUNKS.tokens + 95) * WIDTH + 127])
    stream, index, value = CHUNKS.place_escapes(flat, np.arange(4))
    found = CHUNKS.described()[Field.PLACE][stream] + index
    np.testing.assert_array_equal(found, flat)
    assert value.tolist() == [0, 1, 2, 3]


def test_chunks_are_decoded_to_their_places() -> None:
    plan = CHUNKS.plan([2 * n for n in range(3 * STREAMS)])
    head = CHUNKS.tokens * GEOMETRY.head_dim
    targets = [
        stream * head + chunk * 32 * GEOMETRY.head_dim
        for chunk in range(3)
        for stream in range(STREAMS)
    ]
    assert plan.units[Unit.TARGET].tolist() == targets
    assert CHUNKS.bf16_bytes == 2 * STREAMS * head
