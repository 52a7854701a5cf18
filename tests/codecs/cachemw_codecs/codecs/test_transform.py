from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from cachemw_codecs.codecs.base import LADDER, Codec
from cachemw_codecs.codecs.transform import Transform
from cachemw_codecs.errors import DamagedData, InvalidInput
from cachemw_codecs.kv import LayerKV, LayerShape, by_token
from cachemw_codecs.transform.tables import TransformTables
from cachemw_codecs.transform.zones import pieces
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.codecs.cachemw_codecs.codecs.layers import bits, check_refused_or_shaped, damaged_copies
from tests.codecs.cachemw_codecs.transform.bounds import check_error, coordinates
from tests.codecs.cachemw_codecs.transform.samples import (
    LAYERS,
    all_of_integers,
    on_the_grid,
    small_tables,
    text,
)

DTYPES = st.sampled_from([torch.bfloat16, torch.float16, torch.float32])
SEEDS = st.integers(0, 2**32 - 1)
BOTH = pytest.mark.parametrize("ends_context", [True, False])


def there_and_back(codec: Transform, layer: int, kv: LayerKV, level: str) -> LayerKV:
    return codec.decode_layer(layer, codec.encode_layer(layer, kv, level), kv.shape, level)


def both(kv: LayerKV, decoded: LayerKV) -> tuple[tuple[torch.Tensor, torch.Tensor], ...]:
    return (kv.keys, decoded.keys), (kv.values, decoded.values)


def squared_error(kv: LayerKV, decoded: LayerKV) -> float:
    parts = both(kv, decoded)
    return sum(float((was.double() - now.double()).square().mean()) for was, now in parts)


@BOTH
@pytest.mark.parametrize("level", LADDER)
@given(tokens=st.integers(1, 600), layer=st.integers(0, LAYERS - 1), dtype=DTYPES, seed=SEEDS)
@settings(max_examples=12)
def test_no_coordinate_is_further_off_than_its_cell(
    level: str, ends_context: bool, tokens: int, layer: int, dtype: torch.dtype, seed: int
) -> None:
    tables = small_tables()
    codec, kv = (
        Transform(tables, ends_context=ends_context),
        text(tables, layer, tokens, seed, dtype),
    )
    decoded = there_and_back(codec, layer, kv, level)
    assert decoded.shape == kv.shape
    for kind, (was, now) in enumerate(both(kv, decoded)):
        assert now.is_contiguous()
        check_error(tables, (layer, kind, LADDER.index(level)), was, now, ends_context)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@given(octaves=st.floats(-120, 126), tokens=st.integers(1, 70), seed=SEEDS)
@settings(max_examples=30)
def test_kv_unlike_all_that_was_calibrated_comes_back_as_finely(
    dtype: torch.dtype, octaves: float, tokens: int, seed: int
) -> None:
    tables = small_tables()
    most = torch.finfo(dtype).max
    kv = text(tables, 0, tokens, seed, torch.float32)
    keys, values = (
        (part.double() * 2.0**octaves).clamp(-most, most).to(dtype) for part in (kv.keys, kv.values)
    )
    kv = LayerKV(keys, values)
    for kind, (was, now) in enumerate(both(kv, there_and_back(Transform(tables), 0, kv, "medium"))):
        assert bool(torch.isfinite(now).all())
        check_error(tables, (0, kind, 3), was, now)


def test_a_single_outlier_stands_in_the_list_and_harms_no_other_token() -> None:
    tables = small_tables()
    kv = text(tables, 1, 100, 5)
    kv.keys[1, 60, 3] = 3000.0
    decoded = there_and_back(Transform(tables), 1, kv, "fine")
    check_error(tables, (1, 0, 2), kv.keys, decoded.keys)
    assert abs(float(decoded.keys[1, 60, 3]) - 3000) < 30


def test_what_rounding_made_too_large_for_the_dtype_is_its_largest_value() -> None:
    random = torch.Generator().manual_seed(0)
    largest = torch.finfo(torch.float16).max
    keys = (torch.randint(0, 2, (2, 40, 8), generator=random) * 2 - 1) * largest
    kv = LayerKV(keys.half(), -keys.half())
    for level in LADDER:
        decoded = there_and_back(Transform(small_tables()), 0, kv, level)
        assert bool((torch.isfinite(decoded.keys) & torch.isfinite(decoded.values)).all())
    assert bool((decoded.keys.abs() == largest).any())


def test_a_finer_level_is_closer_and_larger() -> None:
    tables = small_tables()
    codec, kv = Transform(tables), text(tables, 0, 400, 6, torch.float32)
    payloads = [codec.encode_layer(0, kv, level) for level in LADDER]
    sizes = [len(payload) for payload in payloads]
    assert sizes == sorted(set(sizes), reverse=True)
    errors = [
        squared_error(kv, codec.decode_layer(0, payload, kv.shape, level))
        for payload, level in zip(payloads, LADDER, strict=True)
    ]
    assert errors == sorted(set(errors))
    assert errors[-1] > 20 * errors[0]


def test_the_end_of_a_context_is_finer_than_that_of_other_chunks() -> None:
    tables = small_tables()
    kv = text(tables, 0, 400, 7, torch.float32)
    ends, goes_on = (Transform(tables, ends_context=ends_context) for ends_context in (True, False))
    last = slice(-16, None)
    error = {}
    for codec in (ends, goes_on):
        decoded = there_and_back(codec, 0, kv, "coarse")
        error[codec] = float((kv.keys - decoded.keys)[:, last].square().mean())
    assert error[ends] < error[goes_on] / 4
    payload = ends.encode_layer(0, kv, "coarse")
    assert len(payload) > len(goes_on.encode_layer(0, kv, "coarse"))
    # Whoever decodes need not know.
    a, b = (codec.decode_layer(0, payload, kv.shape, "coarse") for codec in (ends, goes_on))
    assert all(torch.equal(bits(one), bits(other)) for one, other in both(a, b))


@pytest.mark.parametrize("layer", [-1, LAYERS])
def test_a_layer_that_the_model_does_not_have_is_refused(layer: int) -> None:
    codec, kv = Transform(small_tables()), text(small_tables(), 0, 20, 1)
    with pytest.raises(InvalidInput, match="layer"):
        codec.encode_layer(layer, kv, "medium")
    payload = codec.encode_layer(0, kv, "medium")
    with pytest.raises(DamagedData, match="layer"):
        codec.decode_layer(layer, payload, kv.shape, "medium")


@pytest.mark.parametrize(("heads", "dim"), [(1, 8), (2, 16), (4, 4), (1, 16)])
def test_a_shape_that_the_model_does_not_have_is_refused(heads: int, dim: int) -> None:
    codec, shape = Transform(small_tables()), LayerShape(heads, 20, dim, torch.float32)
    zeros = torch.zeros(heads, 20, dim)
    says = f"{heads} x {dim}, but the calibrated model has 2 x 8"
    with pytest.raises(InvalidInput, match=says):
        codec.encode_layer(0, LayerKV(zeros, zeros), "medium")
    payload = codec.encode_layer(0, text(small_tables(), 0, 20, 1), "medium")
    with pytest.raises(DamagedData, match=says):
        codec.decode_layer(0, payload, shape, "medium")


@pytest.mark.parametrize("tokens", [1, 19, 21, 4000])
def test_another_number_of_tokens_is_refused(tokens: int) -> None:
    codec, kv = Transform(small_tables()), text(small_tables(), 0, 20, 1)
    payload = codec.encode_layer(0, kv, "medium")
    with pytest.raises(DamagedData, match=f"{tokens} tokens"):
        codec.decode_layer(0, payload, replace(kv.shape, tokens=tokens), "medium")


@pytest.mark.parametrize("tokens", [3, 40, 300])
@given(data=st.data())
@settings(max_examples=100)
def test_damage_is_refused_or_gives_finite_values_of_the_shape(
    tokens: int, data: st.DataObject
) -> None:
    codec, kv = Transform(small_tables()), text(small_tables(), 1, tokens, 3)
    payload = codec.encode_layer(1, kv, "coarse")
    damaged = data.draw(damaged_copies(payload))
    check_refused_or_shaped(codec, 1, damaged, kv.shape, "coarse")


def test_escapes_of_a_damaged_list_are_values_and_no_more() -> None:
    codec, kv = Transform(small_tables()), text(small_tables(), 1, 40, 3)
    kv.keys[0, 20, 3] = 1000.0
    payload = bytearray(codec.encode_layer(1, kv, "finest"))
    pieces, escapes = int.from_bytes(payload[:2], "little"), int.from_bytes(payload[2:6], "little")
    assert escapes > 0
    lengths = 2 * 2  # two streams a piece, keys' and values'
    value_at = 6 + pieces * (5 + lengths) + 6
    payload[value_at : value_at + 2] = (-32768).to_bytes(2, "little", signed=True)
    decoded = codec.decode_layer(1, bytes(payload), kv.shape, "finest")
    assert bool((torch.isfinite(decoded.keys) & torch.isfinite(decoded.values)).all())


def test_the_file_makes_the_same_codec_as_the_tables_in_memory() -> None:
    file = small_tables().save()
    kv = text(small_tables(), 0, 100, 8)
    opened = Transform(file)
    assert opened.tables_hash == hashlib.sha256(file).digest()[:16]
    in_memory = Transform(small_tables()).encode_layer(0, kv, "fine")
    assert opened.encode_layer(0, kv, "fine") == in_memory
    with pytest.raises(InvalidInput, match="calibration file"):
        Transform(b"no tables")


def test_tables_that_cannot_be_inverted_still_decode() -> None:
    tables = small_tables()
    payload = Transform(tables).encode_layer(0, text(tables, 0, 30, 9), "fine")
    flat = Transform(replace(tables, synthesis=np.zeros_like(tables.synthesis)))
    shape = LayerShape(2, 30, 8, torch.float32)
    decoded = flat.decode_layer(0, payload, shape, "fine")
    assert torch.equal(decoded.keys[:, 5:], decoded.keys[:, 5:6].expand(-1, 25, -1))
    with pytest.raises(InvalidInput, match="no inverse"):
        flat.encode_layer(0, text(tables, 0, 30, 9), "fine")


def test_several_streams_a_piece() -> None:
    # 192 channels are two streams of 96.
    tables = small_tables(3, 64, layers=1)
    kv = text(tables, 0, 150, 10)
    for kind, (was, now) in enumerate(both(kv, there_and_back(Transform(tables), 0, kv, "medium"))):
        check_error(tables, (0, kind, 3), was, now)


def test_several_threads_at_once_get_the_same_bytes() -> None:
    # Tables of its own: what is computed at first use is computed by all of them at once.
    tables = TransformTables.load(small_tables().save())
    codec, kv = Transform(tables), [text(tables, n, 60, n) for n in range(LAYERS)]
    alone = [Transform(small_tables()).encode_layer(n, kv[n], "fine") for n in range(LAYERS)]
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(codec.encode_layer, n % LAYERS, kv[n % LAYERS], "fine") for n in range(12)
        ]
        assert [job.result() for job in jobs] == alone * 6


@pytest.mark.parametrize("kind", range(2))
@pytest.mark.parametrize("layer", range(LAYERS))
def test_values_are_reconstructed_at_their_cells_centroid(layer: int, kind: int) -> None:
    tables, level = small_tables(), 4
    kv = on_the_grid(tables, layer, level, 340)
    decoded = there_and_back(Transform(tables), layer, kv, LADDER[level])
    was, now = (by_token(part).double().numpy() for part in both(kv, decoded)[kind])
    for piece in pieces(340, True, True):
        steps = tables.steps(layer, kind, level, piece.setting).astype(np.float64)[:, None]
        q, y = (
            coordinates(tables, layer, kind, piece.setting, rows[piece.start : piece.stop]) / steps
            for rows in (was, now)
        )
        q = np.rint(q)
        offsets = tables.offsets[tables.classes(layer, kind, level, piece.setting)]
        np.testing.assert_allclose(y, q - np.sign(q) * offsets, atol=0.005)


def test_the_format_is_frozen() -> None:
    """A change here makes every stored payload unreadable: it wants a new name for the codec."""
    tables = all_of_integers()
    payload = Transform(tables).encode_layer(1, on_the_grid(tables, 1, 2, 345), "fine")
    assert len(payload) == 7623
    assert hashlib.sha256(payload).hexdigest()[:32] == "046cae8061194818874d1a37f3747fdf"


def test_a_chunk_from_the_middle_has_no_sinks_and_no_tail() -> None:
    tables = small_tables(2, 8)
    kv = text(tables, 0, 340, 1)
    codec = Transform(tables)
    whole, middle = (len(c.encode_layer(0, kv, "medium")) for c in (codec, inner(codec)))
    assert middle < whole
    assert inner(codec).tables_hash == codec.tables_hash
    decoded = [
        codec.decode_layer(0, inner(codec).encode_layer(0, kv, level), kv.shape, level)
        for level in ("finest", "coarse")
    ]
    fine, coarse = ((part.keys.float() - kv.keys.float()).square().mean() for part in decoded)
    assert fine < coarse


def inner(codec: Transform) -> Codec:
    return codec.placed(begins=False, ends=False)
