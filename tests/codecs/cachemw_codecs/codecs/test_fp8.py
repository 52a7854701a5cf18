from __future__ import annotations

import pytest
import torch
from cachemw_codecs.codecs.fp8 import Fp8
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.kv import LayerKV


@pytest.mark.parametrize(
    ("level", "largest", "codes"),
    # The largest number, minus it, 1 and 0, as the formats' paper writes them.
    [("e4m3", 448.0, [0x7E, 0xFE, 0x38, 0]), ("e5m2", 57344.0, [0x7B, 0xFB, 0x3C, 0])],
)
def test_codes_are_those_of_the_format(level: str, largest: float, codes: list[int]) -> None:
    part = torch.tensor([[[largest, -largest, 1.0, 0.0]]])
    payload = Fp8().encode_layer(0, LayerKV(part, part), level)
    assert payload == 2 * (bytes.fromhex("803f") + bytes(codes))


@pytest.mark.parametrize(("level", "code"), [("e4m3", 0x7F), ("e5m2", 0x7C), ("e5m2", 0x7D)])
def test_codes_that_are_not_finite_are_refused(level: str, code: int) -> None:
    part = torch.ones(1, 1, 1)
    codec, kv = Fp8(), LayerKV(part, part)
    payload = codec.encode_layer(0, kv, level)
    with pytest.raises(DamagedData, match="codes"):
        codec.decode_layer(0, payload[:-1] + bytes([code]), kv.shape, level)
