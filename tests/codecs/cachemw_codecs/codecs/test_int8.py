from __future__ import annotations

import torch
from cachemw_codecs.codecs.int8 import Int8
from cachemw_codecs.kv import LayerKV


def test_codes_are_multiples_of_the_step_rounded_to_nearest() -> None:
    part = torch.tensor([[[127.0, -126.6, 0.4], [0.0, 0.0, 0.0]]])
    payload = Int8().encode_layer(0, LayerKV(part, -part), "8bit")
    one, zero = bytes.fromhex("803f"), bytes(2)
    keys = bytes([127, 256 - 127, 0, 0, 0, 0])
    values = bytes([256 - 127, 127, 0, 0, 0, 0])
    assert payload == one + zero + keys + one + zero + values


def test_a_value_takes_a_byte_and_a_row_two_more() -> None:
    part = torch.randn((2, 5, 64), generator=torch.Generator().manual_seed(1))
    payload = Int8().encode_layer(0, LayerKV(part, part), "8bit")
    assert len(payload) == 2 * 2 * 5 * (64 + 2)
