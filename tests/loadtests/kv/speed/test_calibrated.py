from __future__ import annotations

import pytest
import torch
from cachemw_codecs.codecs.transform import Transform
from cachemw_codecs.kv import LayerShape
from cachemw_codecs.transform import payload as form
from cachemw_codecs.transform.tables import TransformTables
from cachemw_codecs.transform.zones import BODY

from loadtests.kv.speed import calibrated

CPU = torch.device("cpu")
TOKENS = 528


@pytest.fixture(scope="module")
def tables() -> TransformTables:
    generator = torch.Generator().manual_seed(1)
    return calibrated.make_tables(1, 2.2, generator, CPU, heads=(2, 64))


def test_a_value_costs_what_was_asked_for(tables: TransformTables) -> None:
    assert calibrated.body_bits(tables) == pytest.approx(2.2, abs=0.02)
    kv = calibrated.draw(tables, 0, TOKENS, torch.Generator().manual_seed(2))
    data = Transform(tables, ends_context=False).encode_layer(0, kv, calibrated.LEVEL)
    read = form.read(data, TOKENS, 128, form.stream_width(128))
    body = [piece for piece in read.pieces if piece.setting == BODY]
    values = 2 * 128 * sum(piece.tokens for piece in body)
    states = 4 * sum(piece.tokens // 16 for piece in body) * 2
    coded = sum(sum(piece.lengths) for piece in body)
    assert 8 * (coded - states) / values == pytest.approx(2.2, abs=0.1)


def test_what_is_decoded_is_what_was_drawn_but_for_steps(tables: TransformTables) -> None:
    kv = calibrated.draw(tables, 0, TOKENS, torch.Generator().manual_seed(3))
    codec = Transform(tables)
    data = codec.encode_layer(0, kv, calibrated.LEVEL)
    shape = LayerShape(2, TOKENS, 64, torch.float32)
    back = codec.decode_layer(0, data, shape, calibrated.LEVEL)
    error = (back.values - kv.values.float()).pow(2).mean() ** 0.5
    assert kv.values.dtype == torch.bfloat16
    assert 0.02 < float(error) < 0.3
