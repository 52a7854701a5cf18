import pytest
import torch
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.kv import LayerKV, LayerShape

from loadtests.kv.quality.baselines.released_cachegen import ReleasedCachegen

LAYERS = 8
SHAPE = LayerShape(kv_heads=2, tokens=96, head_dim=16, dtype=torch.bfloat16)


def some_kv() -> LayerKV:
    drawn = torch.Generator().manual_seed(3)
    keys, values = torch.randn((2, 2, 96, 16), generator=drawn).to(torch.bfloat16)
    return LayerKV(keys, values)


@pytest.mark.parametrize("level", ReleasedCachegen.levels)
@pytest.mark.parametrize("layer", [0, LAYERS - 1])
def test_a_value_is_off_by_half_a_bin_of_its_token(level: str, layer: int) -> None:
    kv, codec = some_kv(), ReleasedCachegen(LAYERS)
    back = codec.decode_layer(layer, codec.encode_layer(layer, kv, level), SHAPE, level)
    bins = int(level.split("-")[layer > 0])
    for part, original in ((back.keys, kv.keys), (back.values, kv.values)):
        largest = original.float().abs().amax(dim=(0, 2), keepdim=True)
        off = (part.float() - original.float()).abs() / largest
        step = 1 / (bins // 2 - 1)
        assert off.max() <= 0.5 * step + 0.01
        assert off.max() > 0.3 * step


def test_values_are_fine_in_fewer_layers_than_keys() -> None:
    kv, codec = some_kv(), ReleasedCachegen(LAYERS)
    finest, coarse = (
        codec.decode_layer(layer, codec.encode_layer(layer, kv, "32-16"), SHAPE, "32-16")
        for layer in (0, 2)
    )
    assert torch.equal(finest.keys, coarse.keys)
    assert not torch.equal(finest.values, coarse.values)


def test_the_tables_go_with_the_payload() -> None:
    payload = ReleasedCachegen(LAYERS).encode_layer(0, some_kv(), "32-16")
    tables, scales, lanes = 2 * 33 * 32, 2 * 96, 4 * 32
    # The rest codes 31 symbols of normal values: between 3 and 5 bits each.
    stream = len(payload) - 2 * (tables + scales + lanes) - 4
    assert 3 < 8 * stream / (2 * 96 * 32) < 5


def test_zeros_come_back() -> None:
    zeros = torch.zeros((2, 96, 16), dtype=torch.bfloat16)
    codec = ReleasedCachegen(LAYERS)
    payload = codec.encode_layer(3, LayerKV(zeros, zeros), "16-8")
    assert torch.equal(codec.decode_layer(3, payload, SHAPE, "16-8").keys, zeros)


def test_a_short_payload_is_refused() -> None:
    codec = ReleasedCachegen(LAYERS)
    payload = codec.encode_layer(0, some_kv(), "32-16")
    for cut in (2, 100, len(payload) - 2):
        with pytest.raises(DamagedData):
            codec.decode_layer(0, payload[:cut], SHAPE, "32-16")
