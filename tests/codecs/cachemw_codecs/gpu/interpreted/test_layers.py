from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cachemw_codecs.coding.frequencies import FrequencyTables
from cachemw_codecs.errors import DamagedData, InvalidInput
from cachemw_codecs.gpu.coder import DeviceTables, require_good
from cachemw_codecs.gpu.layers import LayerDecoder, LayerModel
from cachemw_codecs.gpu.plan import Geometry, Piece, Run, plan_layer
from cachemw_codecs.gpu.staged import LayerPayload
from cachemw_codecs.gpu.transform import Inverse

from tests.codecs.cachemw_codecs.gpu.interpreted.batches import DEVICE, batch, make_offsets

CAPACITY = 50
# A stream a head; two heads a stream; a transform over two heads, of one stream and of two.
GEOMETRIES = [Geometry(2, 16, 16, 16), Geometry(2, 16, 32, 16), Geometry(2, 16, 32, 32)]
GEOMETRIES.append(Geometry(2, 16, 16, 32))
PROTECTED = (Run(4, 1), Run(3, 40))


def make_model(geometry: Geometry, generator: torch.Generator, dtype: torch.dtype) -> LayerModel:
    n, size = 2 * geometry.transforms, geometry.size
    matrices = torch.randn(geometry.transforms, size, size, generator=generator) / 4
    steps = 0.1 + torch.rand(n, generator=generator)
    means = torch.randn(n, size, generator=generator)
    columns = torch.randint(
        0, 5, (2 * geometry.streams, geometry.width), generator=generator, dtype=torch.int32
    )
    inverse = Inverse(matrices.to(DEVICE, dtype), steps.to(DEVICE), means.to(DEVICE))
    return LayerModel(columns.to(DEVICE), inverse)


def _reference(
    geometry: Geometry, model: LayerModel, pieces: list[tuple[tuple[Run, ...], np.ndarray]]
) -> torch.Tensor:
    """Float32 cache; `pieces`: runs and quantised values, [streams, tokens, width], by setting."""
    cache = torch.zeros(2, geometry.kv_heads, CAPACITY, geometry.head_dim)
    inverse = model.inverse
    for setting, (runs, values) in enumerate(pieces):
        q = torch.from_numpy(values).float()
        rows = q.reshape(2, -1, q.shape[1], geometry.width).transpose(1, 2)
        rows = rows.reshape(2, q.shape[1], -1, geometry.size)
        which = slice(setting * geometry.transforms, (setting + 1) * geometry.transforms)
        tables = model.columns[setting * geometry.streams : (setting + 1) * geometry.streams].cpu()
        offsets = torch.from_numpy(make_offsets())[tables].reshape(2, 1, -1, geometry.size)
        steps = inverse.steps[which].cpu().reshape(2, 1, -1, 1)
        means = inverse.means[which].cpu().reshape(2, 1, -1, geometry.size)
        matrices = inverse.matrices.cpu().float().reshape(2, -1, geometry.size, geometry.size)
        y = torch.sign(rows) * (rows.abs() - offsets)
        x = torch.einsum("ptgj,pgjn->ptgn", y, matrices) * steps + means
        x = x.reshape(2, -1, geometry.kv_heads, geometry.head_dim).transpose(1, 2)
        first = 0
        for run in runs:
            to = slice(run.position, run.position + run.count)
            cache[:, :, to] = x[:, :, first : first + run.count]
            first += run.count
    return cache


@pytest.mark.parametrize(
    ("geometry", "dtype"),
    [*((geometry, torch.float32) for geometry in GEOMETRIES[1:]), (GEOMETRIES[0], torch.float16)],
    ids=str,
)
def test_a_layer_lands_where_it_belongs(
    geometry: Geometry,
    dtype: torch.dtype,
    tables: FrequencyTables,
    device_tables: DeviceTables,
    generator: torch.Generator,
    rng: np.random.Generator,
) -> None:
    # More than one group of 32 tokens for one of them: the interpreter is slow.
    every_run = ((Run(35 if geometry == GEOMETRIES[1] else 20, 5),), PROTECTED)
    model = make_model(geometry, generator, dtype)
    columns = model.columns.cpu().numpy()
    payloads: list[bytes] = []
    pieces, values, escapes = [], [], []
    for setting, runs in enumerate(every_run):
        tokens = sum(run.count for run in runs)
        rows = columns[setting * geometry.streams : (setting + 1) * geometry.streams]
        streams = batch(rng, [tokens] * geometry.streams, rows, tables)
        payloads += streams.payloads
        pieces.append(Piece([len(p) for p in streams.payloads], runs, setting))
        quantised = np.stack(streams.symbols).astype(np.int16) - 128
        for stream, token, column in np.argwhere(quantised == -128):
            value = int(rng.integers(-1000, 1000))
            quantised[stream, token, column] = value
            number = setting * geometry.streams + int(stream)
            escapes.append((number, token * geometry.width + column, value))
        values.append((runs, quantised))
    assert escapes
    plan = plan_layer(pieces, geometry, CAPACITY)
    payload = LayerPayload.of(b"".join(payloads), plan, np.array(escapes, np.int64).T.copy())
    cache = torch.zeros(2, 2, CAPACITY, 16, dtype=torch.bfloat16, device=DEVICE)
    status = LayerDecoder(geometry, device_tables, [model]).decode_layer(0, payload, cache)
    require_good(status)
    expected = _reference(geometry, model, values)
    written = torch.zeros(CAPACITY, dtype=torch.bool)
    for run in (run for runs in every_run for run in runs):
        written[run.position : run.position + run.count] = True
    assert not cache[:, :, ~written].any()
    scale = expected.abs().amax()
    # The interpreter cuts bfloat16 off where a GPU rounds.
    torch.testing.assert_close(cache.cpu().float(), expected, rtol=2**-7, atol=float(scale) * 2e-3)


def small_layer(
    tables: FrequencyTables, device_tables: DeviceTables, generator: torch.Generator
) -> tuple[LayerDecoder, list[bytes], Piece]:
    geometry = Geometry(1, 16, 16, 16)
    model = make_model(geometry, generator, torch.float32)
    rows = model.columns.cpu().numpy()[: geometry.streams]
    streams = batch(np.random.default_rng(1), [2, 2], rows, tables)
    piece = Piece([len(p) for p in streams.payloads], (Run(2, 0),))
    return LayerDecoder(geometry, device_tables, [model]), list(streams.payloads), piece


def test_an_escape_that_points_elsewhere_is_noted(
    tables: FrequencyTables, device_tables: DeviceTables, generator: torch.Generator
) -> None:
    decoder, payloads, piece = small_layer(tables, device_tables, generator)
    plan = plan_layer([piece], Geometry(1, 16, 16, 16), 8)
    cache = torch.zeros(2, 1, 8, 16, device=DEVICE)
    for stream, index in ((0, 32), (1, -1), (0, 1 << 40)):
        escapes = np.array([[stream], [index], [5]], np.int64)
        payload = LayerPayload.of(b"".join(payloads), plan, escapes)
        status = decoder.decode_layer(0, payload, cache)
        assert status.tolist() == [16 * (stream == 0), 16 * (stream == 1)]
        with pytest.raises(DamagedData, match=f"stream {stream}: its escapes"):
            require_good(status)


def test_what_does_not_fit_is_refused_before_anything_runs(
    tables: FrequencyTables, device_tables: DeviceTables, generator: torch.Generator
) -> None:
    decoder, payloads, piece = small_layer(tables, device_tables, generator)
    geometry = Geometry(1, 16, 16, 16)
    plan = plan_layer([piece], geometry, 8)
    with pytest.raises(DamagedData, match="bytes of streams"):
        LayerPayload.of(b"".join(payloads) + b"\0\0", plan)
    payload = LayerPayload.of(b"".join(payloads), plan)
    with pytest.raises(InvalidInput, match="contiguous"):
        decoder.decode_layer(0, payload, torch.zeros(1, 1, 8, 16, device=DEVICE))
    with pytest.raises(InvalidInput, match="on meta"):
        decoder.decode_layer(0, payload, torch.zeros(2, 1, 8, 16, device="meta"))
    with pytest.raises(InvalidInput, match="planned for 8 tokens"):
        decoder.decode_layer(0, payload, torch.zeros(2, 1, 9, 16, device=DEVICE))
    third = plan_layer([Piece(piece.lengths, piece.runs, 2)], geometry, 8)
    with pytest.raises(DamagedData, match="tables that the model does not have"):
        decoder.decode_layer(
            0,
            LayerPayload.of(b"".join(payloads), third),
            torch.zeros(2, 1, 8, 16, device=DEVICE),
        )


def test_a_model_that_does_not_fit_its_geometry_is_refused(
    device_tables: DeviceTables, generator: torch.Generator
) -> None:
    geometry = Geometry(1, 16, 16, 16, block=4, block_settings=1)
    plain = make_model(geometry, generator, torch.float32)
    columns = torch.zeros(2, 64, dtype=torch.int32, device=DEVICE)
    bases = torch.zeros(2, 4, 4, device=DEVICE)
    good = replace(plain, block_columns=columns, bases=bases)
    LayerDecoder(geometry, device_tables, [plain, good])
    for wrong in (
        replace(good, block_columns=columns[:, ::2]),
        replace(good, block_columns=columns.long()),
        replace(good, block_columns=columns + 5),
        replace(good, bases=bases[:1]),
        replace(good, bases=bases.half()),
        replace(good, bases=torch.zeros(4, 2, 4, device=DEVICE).transpose(0, 1)),
        replace(good, columns=plain.columns[:, :8]),
    ):
        with pytest.raises(InvalidInput):
            LayerDecoder(geometry, device_tables, [wrong])


def test_blocks_need_a_model_that_has_them(
    tables: FrequencyTables, device_tables: DeviceTables, generator: torch.Generator
) -> None:
    decoder, payloads, piece = small_layer(tables, device_tables, generator)
    geometry = Geometry(1, 16, 16, 16, block=2, block_settings=1)
    plan = plan_layer([Piece(piece.lengths, piece.runs, 1)], geometry, 8)
    payload = LayerPayload.of(b"".join(payloads), plan)
    with pytest.raises(DamagedData, match="of blocks"):
        decoder.decode_layer(0, payload, torch.zeros(2, 1, 8, 16, device=DEVICE))
