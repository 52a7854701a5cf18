from __future__ import annotations

import numpy as np
import pytest
import torch
import zstandard
from cachemw_codecs.codecs.base import LADDER
from cachemw_codecs.codecs.zstd import Zstd
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.kv import LayerKV, LayerShape

SHAPE = LayerShape(1, 2, 4, torch.float32)


def layer(scale: float = 1.0) -> LayerKV:
    random = torch.Generator().manual_seed(3)
    keys, values = scale * torch.randn((2, 2, 256, 64), generator=random)
    return LayerKV(keys.bfloat16(), values.bfloat16())


def decode(frame: bytes, shape: LayerShape = SHAPE, level: str = "lossless") -> LayerKV:
    return Zstd().decode_layer(0, frame, shape, level)


def test_each_level_is_smaller_than_the_one_before() -> None:
    kv, codec = layer(), Zstd()
    sizes = [len(codec.encode_layer(0, kv, level)) for level in codec.levels]
    assert sizes == sorted(set(sizes), reverse=True)
    assert sizes[0] < kv.shape.nbytes * 0.8


@pytest.mark.parametrize(
    ("level", "nbytes"),
    [("finest", 8), ("fine", 8), ("medium", 8), ("coarse", 4), ("coarser", 4), ("coarsest", 2)],
)
def test_small_alphabets_share_bytes(level: str, nbytes: int) -> None:
    part = torch.tensor([[[7.0, -7, 0, 0], [7, 0, 0, -7]]])
    frame = Zstd().encode_layer(0, LayerKV(part, part), level)
    plain = zstandard.ZstdDecompressor().decompress(frame)
    assert len(plain) == 2 * (2 * 2 + nbytes)


def test_the_first_code_of_a_byte_is_its_lowest_digit() -> None:
    part = torch.tensor([[[1.0, -1.0, 0.0, 1.0]]])
    frame = Zstd().encode_layer(0, LayerKV(part, part), "coarsest")
    plain = zstandard.ZstdDecompressor().decompress(frame)
    assert plain[2] == 2 + 3 * 0 + 9 * 1 + 27 * 2


@pytest.mark.parametrize("level", LADDER)
def test_a_byte_past_the_digits_is_refused(level: str) -> None:
    codec, part = Zstd(), torch.ones(1, 1, 4)
    frame = codec.encode_layer(0, LayerKV(part, part), level)
    plain = bytearray(zstandard.ZstdDecompressor().decompress(frame))
    plain[-1] = 255
    changed = zstandard.ZstdCompressor().compress(bytes(plain))
    shape = LayerShape(1, 1, 4, torch.float32)
    with pytest.raises(DamagedData, match="codes"):
        decode(changed, shape, level)


def test_a_frame_must_state_its_size() -> None:
    plain = bytes(SHAPE.nbytes)
    silent = zstandard.ZstdCompressor(write_content_size=False).compress(plain)
    for frame in (silent, zstandard.ZstdCompressor().compress(plain + b"\0")):
        with pytest.raises(DamagedData, match="does not state"):
            decode(frame)


def test_a_frame_that_lies_about_its_size_costs_no_more_than_the_layer() -> None:
    # 2^40 bytes claimed in the header of a frame with one small block.
    claim = bytes.fromhex("28b52ffd") + b"\xe0" + (1 << 40).to_bytes(8, "little") + b"\x01\0\0"
    assert zstandard.frame_content_size(claim) == 1 << 40
    with pytest.raises(DamagedData, match="does not state"):
        decode(claim)
    right = claim[:5] + SHAPE.nbytes.to_bytes(8, "little") + claim[13:]
    with pytest.raises(DamagedData, match="zstd"):
        decode(right)


def test_a_skippable_frame_is_no_layer() -> None:
    frame = bytes.fromhex("502a4d18") + SHAPE.nbytes.to_bytes(4, "little") + bytes(SHAPE.nbytes)
    with pytest.raises(DamagedData):
        decode(frame)
    with pytest.raises(DamagedData):
        decode(frame + zstandard.ZstdCompressor().compress(bytes(SHAPE.nbytes)))


def test_the_compression_level_changes_bytes_not_values() -> None:
    kv = layer()
    fast, slow = Zstd(compression=1), Zstd(compression=9)
    frames = [codec.encode_layer(0, kv, "fine") for codec in (fast, slow)]
    assert frames[0] != frames[1]
    first, second = (fast.decode_layer(0, frame, kv.shape, "fine") for frame in frames)
    assert np.array_equal(first.keys.float().numpy(), second.keys.float().numpy())
