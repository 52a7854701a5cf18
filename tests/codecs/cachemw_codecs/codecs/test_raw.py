from __future__ import annotations

import torch
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.kv import LayerKV


def test_the_payload_is_the_bits_little_endian_keys_first() -> None:
    kv = LayerKV(
        torch.tensor([[[1.0, -2.0]]], dtype=torch.bfloat16),
        torch.tensor([[[float("inf"), 0.0]]], dtype=torch.bfloat16),
    )
    payload = Raw().encode_layer(0, kv, "raw")
    assert payload == bytes.fromhex("803f 00c0 807f 0000")
    assert len(payload) == kv.shape.nbytes
