import pytest
import torch
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.kv import LayerKV, LayerShape

from loadtests.kv.quality.baselines.kivi import RESIDUAL, Kivi, KiviWithResidual

SHAPE = LayerShape(kv_heads=2, tokens=200, head_dim=32, dtype=torch.bfloat16)


def some_kv(shape: LayerShape = SHAPE) -> LayerKV:
    drawn = torch.Generator().manual_seed(3)
    size = (shape.kv_heads, shape.tokens, shape.head_dim)
    # Channels of keys differ in scale, tokens of values do: what KIVI is made for.
    scales = torch.logspace(-1, 1, shape.head_dim)
    keys = torch.randn(size, generator=drawn) * scales
    values = torch.randn(size, generator=drawn) * torch.logspace(-1, 1, shape.tokens)[:, None]
    return LayerKV(keys.to(shape.dtype), values.to(shape.dtype))


@pytest.mark.parametrize("level", Kivi.levels)
def test_every_level_comes_back_as_finely_as_its_bits_say(level: str) -> None:
    kv = some_kv()
    payload = Kivi().encode_layer(0, kv, level)
    back = Kivi().decode_layer(0, payload, SHAPE, level)
    assert back.shape == SHAPE
    bits = int(level[0])
    for part, original, per_line in (
        (back.keys, kv.keys, (1,)),
        (back.values, kv.values, (0, 2)),
    ):
        off = (part.float() - original.float()).abs().amax(dim=per_line, keepdim=True)
        wide = original.float()
        spread = wide.amax(dim=per_line, keepdim=True) - wide.amin(dim=per_line, keepdim=True)
        assert (off <= 0.55 * spread / ((1 << bits) - 1) + 0.02 * spread).all()


def test_a_layer_takes_its_bits_and_its_groups_two_halves() -> None:
    shape = LayerShape(2, 256, 32, torch.bfloat16)
    payload = Kivi().encode_layer(0, some_kv(shape), "2bit-g32")
    assert len(payload) == 2 * 256 * 64 * (2 + 32 / 32) / 8


def test_recent_tokens_stay_exact() -> None:
    kv, codec = some_kv(), KiviWithResidual()
    back = codec.decode_layer(0, codec.encode_layer(0, kv, "2bit-g32"), SHAPE, "2bit-g32")
    for part, original in ((back.keys, kv.keys), (back.values, kv.values)):
        assert torch.equal(part[:, -RESIDUAL:], original[:, -RESIDUAL:])
        assert not torch.equal(part[:, :-RESIDUAL], original[:, :-RESIDUAL])


def test_a_chunk_of_recent_tokens_only_is_exact() -> None:
    shape = LayerShape(2, 100, 32, torch.bfloat16)
    kv, codec = some_kv(shape), KiviWithResidual()
    back = codec.decode_layer(0, codec.encode_layer(0, kv, "4bit-g16"), shape, "4bit-g16")
    assert torch.equal(back.keys, kv.keys)
    assert torch.equal(back.values, kv.values)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_payload_of_another_size_is_refused(change: int) -> None:
    payload = Kivi().encode_layer(0, some_kv(), "3bit-g64")
    damaged = payload[:change] if change < 0 else payload + b"\0"
    with pytest.raises(DamagedData):
        Kivi().decode_layer(0, damaged, SHAPE, "3bit-g64")
