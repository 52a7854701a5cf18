from __future__ import annotations

import pytest
from cachemw_codecs.errors import DamagedData, InvalidInput
from cachemw_codecs.gpu.coder import Field
from cachemw_codecs.gpu.plan import Geometry, Piece, Run, plan_layer
from cachemw_codecs.gpu.transform import Unit

GEOMETRY = Geometry(kv_heads=4, head_dim=8, width=16, size=8)
LENGTHS = [10, 20, 30, 40]


@pytest.mark.parametrize(("width", "size"), [(24, 8), (16, 24), (16, 4), (8, 64)])
def test_widths_that_do_not_divide_are_refused(width: int, size: int) -> None:
    with pytest.raises(InvalidInput, match="do not fit"):
        Geometry(4, 8, width, size)


def test_streams_lie_back_to_back_and_units_cover_every_head() -> None:
    pieces = [
        Piece(LENGTHS, (Run(40, 4),)),
        Piece(LENGTHS, (Run(4, 0), Run(6, 44)), setting=1),
    ]
    plan = plan_layer(pieces, GEOMETRY, 50)
    assert plan.words == 100
    assert plan.tokens.streams[Field.START].tolist() == [0, 5, 15, 30, 50, 55, 65, 80]
    assert plan.tokens.streams[Field.COLUMNS].tolist() == list(range(8))
    assert plan.tokens.streams[Field.PLACE].tolist() == [
        0,
        1024,
        2048,
        3072,
        4096,
        4608,
        5120,
        5632,
    ]
    assert plan.room == 6144
    assert plan.tokens.longest == 64
    heads = plan.tokens.units[Unit.TARGET] // (50 * 8)
    assert heads.tolist() == list(range(8)) * 3
    rest = plan.tokens.units[Unit.TARGET] % (50 * 8) // 8
    assert rest.tolist() == [4] * 8 + [0] * 8 + [44] * 8
    assert plan.tokens.units[Unit.FIRST].tolist() == [0] * 16 + [4] * 8
    assert plan.tokens.units[Unit.MATRIX].tolist() == list(range(8)) * 3
    assert plan.tokens.units[Unit.ROW].tolist() == [*range(8), *range(8, 16), *range(8, 16)]
    assert plan.tokens.units[Unit.COLUMN].tolist() == [0, 8] * 12


@pytest.mark.parametrize("run", [Run(0, 0), Run(1, 50), Run(51, 0), Run(4, -1)])
def test_tokens_outside_the_cache_are_refused(run: Run) -> None:
    with pytest.raises(DamagedData, match="do not fit a cache of 50"):
        plan_layer([Piece(LENGTHS, (run,))], GEOMETRY, 50)


@pytest.mark.parametrize(
    "piece",
    [
        Piece(LENGTHS[1:], (Run(1, 0),)),
        Piece([3, *LENGTHS[1:]], (Run(1, 0),)),
        Piece([-2, *LENGTHS[1:]], (Run(1, 0),)),
        Piece(LENGTHS, ()),
        Piece(LENGTHS, (Run(1, 0),), setting=-1),
    ],
)
def test_pieces_that_cannot_be_are_refused(piece: Piece) -> None:
    with pytest.raises(DamagedData):
        plan_layer([piece], GEOMETRY, 50)


def test_blocks_and_tokens_keep_their_places() -> None:
    """Three tokens, two blocks of 8, one token more: the buffer's order, and the values'."""
    geometry = Geometry(kv_heads=2, head_dim=8, width=16, size=16, block=8, block_settings=2)
    pieces = [
        Piece([10, 20], (Run(3, 0),), setting=1),
        Piece([30, 40], (Run(16, 3),), setting=3),
        Piece([50, 60], (Run(1, 19),)),
    ]
    plan = plan_layer(pieces, geometry, 20)
    assert plan.order.tolist() == [0, 1, 4, 5, 2, 3]
    assert plan.tokens.streams[Field.START].tolist() == [0, 5, 50, 75]
    assert plan.blocks.streams[Field.START].tolist() == [15, 30]
    assert plan.tokens.streams[Field.COLUMNS].tolist() == [2, 3, 0, 1]
    assert plan.blocks.streams[Field.COLUMNS].tolist() == [2, 3]
    assert plan.tokens.streams[Field.PLACE].tolist() == [0, 512, 1024, 1536]
    assert plan.blocks.streams[Field.PLACE].tolist() == [0, 4096]
    assert plan.blocks.streams[Field.TOKENS].tolist() == [2, 2]
    # Source, blocks, target behind the tokens' values, basis of its setting and kind.
    assert plan.blocks.blocks.tolist() == [[0, 4096], [2, 2], [2048, 2560], [2, 3]]
    assert plan.blocks.units[Unit.PLACE].tolist() == [2048, 2560]
    assert plan.blocks.units[Unit.TOKENS].tolist() == [16, 16]
    assert plan.blocks.units[Unit.ROW].tolist() == [6, 7]
    assert (plan.blocks.room, plan.blocks.most, plan.blocks.longest) == (8192, 2, 32)
    assert (plan.tokens.room, plan.room, plan.words) == (2048, 3072, 105)


def test_a_part_of_a_block_is_refused() -> None:
    geometry = Geometry(kv_heads=2, head_dim=8, width=16, size=16, block=8, block_settings=2)
    with pytest.raises(DamagedData, match="12 tokens are not whole blocks"):
        plan_layer([Piece([10, 20], (Run(12, 0),), setting=2)], geometry, 20)
