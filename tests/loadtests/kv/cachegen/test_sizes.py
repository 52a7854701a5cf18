from __future__ import annotations

import pytest
import torch
from cachemw_codecs.codecs.cachegen import CacheGen
from cachemw_codecs.codecs.cachegen.steps import GROUP
from cachemw_codecs.kv import LayerShape

from loadtests.kv.cachegen.sizes import Spent
from tests.codecs.cachemw_codecs.codecs.cachegen.samples import calibration, text

SHAPE = LayerShape(2, 64, 8, torch.bfloat16)


@pytest.mark.parametrize("delta", [True, False])
def test_every_bit_of_a_payload_is_spent_on_something(delta: bool) -> None:
    codec, spent, size = CacheGen(calibration(delta=delta)), Spent(), 0
    for layer, kv in enumerate(text(1, SHAPE)):
        payload = codec.encode_layer(layer, kv, "fine")
        spent.add(codec, layer, payload, SHAPE, "fine")
        size += 8 * len(payload)
    assert spent.total == pytest.approx(size)
    assert spent.coded == 3 * 2 * SHAPE.channels * SHAPE.tokens
    assert spent.lengths == 3 * 32 * (2 if delta else 1)
    assert (spent.anchors > 0, spent.scales > 0) == (delta, delta)
    # States of 32 lanes, and of one a group, minus what they hold.
    lanes = 3 * (32 + (-(-SHAPE.tokens // GROUP) if delta else 0))
    assert 0 < spent.coder < 32 * lanes


def test_a_texts_own_entropy_is_below_what_its_tables_say() -> None:
    codec, spent = CacheGen(calibration()), Spent()
    for seed in range(4):
        kv = text(seed, SHAPE)[0]
        spent.add(codec, 0, codec.encode_layer(0, kv, "medium"), SHAPE, "medium")
    assert 0 < spent.empirical < spent.by_tables


def test_a_kept_value_is_counted() -> None:
    codec, spent, kv = CacheGen(calibration()), Spent(), text(100, SHAPE)[0]
    before = Spent()
    before.add(codec, 0, codec.encode_layer(0, kv, "fine"), SHAPE, "fine")
    kv.values[0, 5, 1] = 1e30
    spent.add(codec, 0, codec.encode_layer(0, kv, "fine"), SHAPE, "fine")
    assert spent.kept == before.kept + 16
