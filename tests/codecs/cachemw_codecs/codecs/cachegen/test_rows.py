from __future__ import annotations

import numpy as np
import pytest
import torch
from cachemw_codecs.codecs.cachegen.rows import (
    bits_of,
    decoded_anchors,
    deltas,
    joined,
    quantised_anchors,
    rows_of,
    to_layer,
    undone,
)
from cachemw_codecs.codecs.cachegen.steps import GROUP, is_anchor
from cachemw_codecs.kv import LayerKV, LayerShape

from tests.codecs.cachemw_codecs.codecs.cachegen.samples import SMALL, text


def test_a_row_is_a_tokens_keys_and_then_its_values() -> None:
    kv = text(1)[0]
    rows = rows_of(kv)
    assert rows.shape == (SMALL.tokens, 2 * SMALL.channels)
    # Head 1, token 3, dimension 5.
    assert rows[3, 8 + 5] == float(kv.keys[1, 3, 5])
    assert rows[3, SMALL.channels + 8 + 5] == float(kv.values[1, 3, 5])
    assert bits_of(kv).shape == rows.shape


def test_rows_come_back_as_the_layer() -> None:
    kv = text(1)[0]
    back = to_layer(rows_of(kv), SMALL)
    assert torch.equal(back.keys, kv.keys)
    assert torch.equal(back.values, kv.values)
    assert back.keys.is_contiguous()


def test_what_exceeds_the_dtype_becomes_its_largest() -> None:
    shape = LayerShape(1, 1, 1, torch.float16)
    back = to_layer(np.array([[1e6, -1e6]], np.float32), shape)
    assert (float(back.keys), float(back.values)) == (65504.0, -65504.0)


def test_anchors_are_within_half_a_step_of_8_bits() -> None:
    rows = rows_of(text(2)[0])
    decoded = decoded_anchors(quantised_anchors(rows))
    parts = rows.reshape(len(rows), 2, -1)
    peaks = np.abs(parts).max(axis=2, keepdims=True)
    errors = np.abs(decoded.reshape(parts.shape) - parts)
    # A scale is rounded up by less than an eighth of an octave.
    assert (errors <= peaks / 127 * 2 ** (1 / 8) / 2 * 1.0001).all()
    assert errors.max() > 0


def test_keys_and_values_have_scales_of_their_own() -> None:
    kv = text(2)[0]
    louder = LayerKV(kv.keys, kv.values * 16)
    plain, other = (quantised_anchors(rows_of(each)) for each in (kv, louder))
    assert (other.exponents - plain.exponents == [0, 32]).all()
    assert (other.numbers == plain.numbers).all()


@pytest.mark.parametrize("tokens", [1, 2, 10, 11, 25])
def test_deltas_are_undone(tokens: int) -> None:
    rows = rows_of(text(3)[0])[:tokens]
    anchors = np.round(rows[::GROUP])
    others = undone(deltas(rows, anchors), anchors, tokens)
    assert others.shape == (tokens - len(anchors), rows.shape[1])
    np.testing.assert_allclose(others, rows[~is_anchor(tokens)], rtol=1e-5, atol=1e-5)
    back = joined(anchors, others)
    assert (back[is_anchor(tokens)] == anchors).all()
    assert (back[~is_anchor(tokens)] == others).all()
