from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from cachemw_codecs.codecs.base import LADDER
from cachemw_codecs.codecs.cachegen import CacheGen
from cachemw_codecs.codecs.cachegen.sharing import alike
from cachemw_codecs.codecs.cachegen.steps import GROUP, MULTIPLES
from cachemw_codecs.errors import DamagedData, InvalidInput, UnsupportedFormat
from cachemw_codecs.kv import LayerKV, LayerShape, by_token
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.codecs.cachemw_codecs.codecs.cachegen.samples import LAYERS, SMALL, calibration, text

BOTH = pytest.mark.parametrize("delta", [True, False])
OF_TOKENS = st.integers(1, 70)


def errors(kv: LayerKV, decoded: LayerKV) -> torch.Tensor:
    """Float64 [tokens, 2 x channels]."""
    was, now = (
        torch.cat([by_token(each.keys), by_token(each.values)], dim=1).double()
        for each in (kv, decoded)
    )
    return (was - now).abs()


def allowed(codec: CacheGen, layer: int, kv: LayerKV, level: str) -> torch.Tensor:
    """Half a step, and one rounding to the dtype."""
    rows = torch.cat([by_token(kv.keys), by_token(kv.values)], dim=1).double()
    steps = codec.tables.steps[layer].astype(np.float64) * MULTIPLES[LADDER.index(level)]
    half = torch.from_numpy(steps).expand_as(rows) / 2
    if codec.tables.delta:
        peaks = rows.abs().reshape(len(rows), 2, -1).amax(dim=2)
        anchors = (peaks / 127 * 2 ** (1 / 8) / 2).repeat_interleave(rows.shape[1] // 2, dim=1)
        half = half.clone()
        half[::GROUP] = anchors[::GROUP]
    return half * 1.001 + (rows.abs() + half) * torch.finfo(kv.keys.dtype).eps + 1e-37


@BOTH
@pytest.mark.parametrize("level", LADDER)
@pytest.mark.parametrize("tokens", [1, 2, 9, 10, 11, 20, 33, 64])
def test_no_value_is_further_off_than_half_a_step(delta: bool, level: str, tokens: int) -> None:
    codec = CacheGen(calibration(delta=delta))
    shape = LayerShape(SMALL.kv_heads, tokens, SMALL.head_dim, SMALL.dtype)
    for layer, kv in enumerate(text(5, shape)):
        payload = codec.encode_layer(layer, kv, level)
        decoded = codec.decode_layer(layer, payload, shape, level)
        assert decoded.shape == shape
        assert bool((errors(kv, decoded) <= allowed(codec, layer, kv, level)).all())


@BOTH
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@given(scale=st.floats(-120, 120), tokens=OF_TOKENS, seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_kv_unlike_all_that_was_profiled_is_coded_as_finely(
    delta: bool, dtype: torch.dtype, scale: float, tokens: int, seed: int
) -> None:
    shape = LayerShape(SMALL.kv_heads, tokens, SMALL.head_dim, dtype)
    most = torch.finfo(dtype).max
    parts = [
        (part.double() * 2.0**scale).clamp(-most, most).to(dtype)
        for part in (text(seed, shape)[0].keys, text(seed, shape)[0].values)
    ]
    codec, kv = CacheGen(calibration(delta=delta)), LayerKV(*parts)
    payload = codec.encode_layer(1, kv, "medium")
    decoded = codec.decode_layer(1, payload, shape, "medium")
    assert bool((errors(kv, decoded) <= allowed(codec, 1, kv, "medium")).all())


def test_rows_of_zeros_and_single_outliers() -> None:
    codec, kv = CacheGen(calibration()), text(6)[0]
    kv.keys[:, 10:20] = 0
    kv.values[0, 13, 2] = 3e38
    kv.values[1, 20, 3] = -1e30
    decoded = codec.decode_layer(0, codec.encode_layer(0, kv, "fine"), kv.shape, "fine")
    assert bool((errors(kv, decoded) <= allowed(codec, 0, kv, "fine")).all())
    # Beyond all symbols, so kept as it is.
    assert decoded.values[0, 13, 2] == kv.values[0, 13, 2]


@BOTH
def test_each_level_takes_fewer_bytes(delta: bool) -> None:
    codec = CacheGen(calibration(delta=delta))
    kv = text(7, LayerShape(2, 300, 8, torch.bfloat16))[1]
    sizes = [len(codec.encode_layer(1, kv, level)) for level in codec.levels]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == len(LADDER)
    assert sizes[0] < kv.shape.nbytes / 2


def test_shared_tables_decode_to_the_same_values() -> None:
    kv, decoded = text(8)[2], []
    for codec in (CacheGen(calibration()), CacheGen(calibration(sharing=ALIKE))):
        payload = codec.encode_layer(2, kv, "fine")
        decoded.append(codec.decode_layer(2, payload, kv.shape, "fine"))
    # Up to what one of them keeps as it is.
    same = (decoded[0].keys == decoded[1].keys).float().mean()
    assert float(same) > 0.98


ALIKE = alike(4)


def test_files_have_names_of_their_own() -> None:
    hashes = {CacheGen(calibration(delta=delta)).tables_hash for delta in (True, False)}
    assert len(hashes) == 2
    assert all(len(name) == 16 for name in hashes)


def test_several_threads_at_once_get_the_same_bytes() -> None:
    codec, kv = CacheGen(calibration()), text(9)
    alone = [CacheGen(calibration()).encode_layer(n, kv[n], "fine") for n in range(LAYERS)]
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(codec.encode_layer, n % LAYERS, kv[n % LAYERS], "fine") for n in range(12)
        ]
        assert [job.result() for job in jobs] == alone * 4


@pytest.mark.parametrize("layer", [-1, LAYERS])
def test_a_layer_that_the_tables_do_not_know_is_refused(layer: int) -> None:
    codec, kv = CacheGen(calibration()), text(1)[0]
    with pytest.raises(InvalidInput, match="tables"):
        codec.encode_layer(layer, kv, "medium")
    with pytest.raises(DamagedData, match="tables"):
        codec.decode_layer(layer, codec.encode_layer(0, kv, "medium"), kv.shape, "medium")


def test_channels_that_the_tables_do_not_know_are_refused() -> None:
    shape = LayerShape(1, 12, 8, torch.bfloat16)
    codec = CacheGen(calibration())
    with pytest.raises(InvalidInput, match="8 channels"):
        codec.encode_layer(0, text(1, shape)[0], "medium")
    with pytest.raises(DamagedData, match="8 channels"):
        codec.decode_layer(0, b"", shape, "medium")


@BOTH
@pytest.mark.parametrize("level", LADDER)
@given(data=st.data())
@settings(max_examples=60)
def test_damage_is_refused_or_gives_finite_values_of_the_shape(
    delta: bool, level: str, data: st.DataObject
) -> None:
    codec, kv = CacheGen(calibration(delta=delta)), text(3)[1]
    payload = bytearray(codec.encode_layer(1, kv, level))
    places = st.one_of(st.integers(0, 8), st.integers(0, len(payload) - 1))
    for place in data.draw(st.lists(places, max_size=4)):
        payload[place] = data.draw(st.integers(0, 255))
    damaged = bytes(payload[: data.draw(st.integers(0, len(payload)))])
    try:
        decoded = codec.decode_layer(1, damaged, kv.shape, level)
    except DamagedData:
        return
    assert decoded.shape == kv.shape
    assert bool(torch.isfinite(decoded.keys).all() & torch.isfinite(decoded.values).all())


@BOTH
def test_bytes_past_the_end_are_refused(delta: bool) -> None:
    codec, kv = CacheGen(calibration(delta=delta)), text(3)[1]
    payload = codec.encode_layer(1, kv, "fine")
    for wrong in (payload + b"\0", payload + b"\0\0", payload[:-1], payload[:-2], b""):
        with pytest.raises(DamagedData):
            codec.decode_layer(1, wrong, kv.shape, "fine")


def test_a_stream_of_no_tokens_has_no_bytes() -> None:
    codec = CacheGen(calibration())
    one = LayerShape(SMALL.kv_heads, 1, SMALL.head_dim, SMALL.dtype)
    # Of a text that was profiled: every value has its symbol.
    known = text(100, LayerShape(SMALL.kv_heads, 60, SMALL.head_dim, SMALL.dtype))[0]
    kv = LayerKV(known.keys[:, :1], known.values[:, :1])
    payload = codec.encode_layer(0, kv, "fine")
    assert payload.endswith(b"\0\0\0\0")
    with pytest.raises(DamagedData, match="no tokens"):
        codec.decode_layer(0, payload[:-4] + b"\1\0\0\0x", one, "fine")


def test_an_unknown_level_and_tables_of_another_kind() -> None:
    with pytest.raises(UnsupportedFormat, match="lossless"):
        CacheGen(calibration()).encode_layer(0, text(1)[0], "lossless")
    with pytest.raises(InvalidInput, match="calibration"):
        CacheGen(b"no tables")
