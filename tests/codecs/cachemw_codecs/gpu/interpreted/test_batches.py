from __future__ import annotations

import numpy as np
from cachemw_codecs.gpu.batches import RowBatch, place_chunks
from cachemw_codecs.gpu.coder import Field
from cachemw_codecs.gpu.plan import Geometry
from cachemw_codecs.transform.zones import BODY, by_block, pieces

GEOMETRY = Geometry(1, 32, 16, 32, 16, BODY)


def test_chunks_are_cut_as_the_cpu_cuts_them() -> None:
    chunks = place_chunks([700, 30], True, True)
    for chunk, start, tokens in ((0, 0, 700), (1, 700, 30)):
        begins, ends = chunk == 0, chunk == 1
        expected = [(start + z.start, z.tokens, z.setting) for z in pieces(tokens, begins, ends)]
        assert [(one.start, one.tokens, one.setting) for one in chunks[chunk]] == expected
        assert [one.number for one in chunks[chunk]] == list(range(len(expected)))
        assert {one.chunk for one in chunks[chunk]} == {chunk}


def test_every_symbol_is_of_one_stream_and_is_found_there() -> None:
    every = [one for chunk in place_chunks([90, 6, 45], True, True) for one in chunk]
    for blocked in (False, True):
        placed = [one for one in every if by_block(one.setting) == blocked]
        batch = RowBatch.of(placed, GEOMETRY)
        assert batch.columns == 16 * (16 if blocked else 1)
        streams = batch.described()
        size = sum(one.rows for one in placed) * GEOMETRY.streams * batch.columns
        seen = np.zeros(size, int)
        piece, stream, place = batch.located(np.arange(size))
        for number, (begin, rows) in enumerate(streams[[Field.PLACE, Field.TOKENS]].T):
            part = slice(begin, begin + rows * batch.columns)
            seen[part] += 1
            assert (piece[part] == number // GEOMETRY.streams).all()
            assert (stream[part] == number % GEOMETRY.streams).all()
            np.testing.assert_array_equal(place[part], np.arange(rows * batch.columns))
        assert (seen == 1).all()
        tables = GEOMETRY.streams * (4 if blocked else 3)
        assert streams[Field.COLUMNS].max() < tables


def test_tokens_of_a_setting_are_in_the_order_of_its_pieces() -> None:
    chunks = place_chunks([90, 45], True, False)
    placed = [one for chunk in chunks for one in chunk if one.setting == BODY]
    ((setting, tokens),) = RowBatch.of(placed[::-1], GEOMETRY).tokens_by_setting()
    assert setting == BODY
    assert tokens.tolist() == [*range(10, 90), *range(90 + 13, 135)]
