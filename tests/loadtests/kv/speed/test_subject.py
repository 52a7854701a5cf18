from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("triton")

from cachemw_codecs.coding import rans
from cachemw_codecs.gpu.coder import DeviceTables, Encoded
from cachemw_codecs.gpu.staged import LayerPayload

from loadtests.kv.speed.chunks import Chunks, EncodedLayer
from loadtests.kv.speed.forward import quantise
from loadtests.kv.speed.inputs import GEOMETRY, OFFSET, Model, draw_layer, make_model
from loadtests.kv.speed.subject import Subject, Wrong, check_bytes, check_cache

CPU = torch.device("cpu")
CHUNKS = Chunks(tokens=64, size=32)
Layer = tuple[Model, EncodedLayer, torch.Tensor]


@pytest.fixture(scope="module")
def layer() -> Layer:
    """Return a layer coded by the CPU, as the GPU is to code it."""
    model = make_model(2.2, 1, torch.Generator().manual_seed(1), CPU)
    values = draw_layer(model, 0, CHUNKS.tokens, torch.Generator().manual_seed(2))
    rows = values.transpose(1, 2).reshape(2, CHUNKS.tokens, -1)
    symbols, outside, escaped = quantise(rows, model.forwards[0])
    columns = model.layers[0].columns.numpy()
    payloads = [
        rans.encode(
            np.ascontiguousarray(symbols.numpy()[kind, first : first + 32, start : start + 128]),
            columns[kind * 8 + start // 128],
            model.tables,
        )
        for first in (0, 32)
        for kind in range(2)
        for start in range(0, GEOMETRY.channels, 128)
    ]
    words = torch.from_numpy(np.frombuffer(b"".join(payloads), "<u2").copy())
    lengths = torch.tensor([len(payload) // 2 for payload in payloads])
    starts = torch.cumsum(lengths, 0) - lengths
    streams = Encoded(words, starts, lengths, torch.zeros(len(payloads), dtype=torch.int32))
    return model, EncodedLayer(symbols, streams, outside, escaped), values


def test_bytes_that_are_the_cpus_pass_and_others_do_not(layer: Layer) -> None:
    model, encoded, _ = layer
    check_bytes(encoded, CHUNKS, model, 0)
    words = encoded.streams.words.numpy().copy()
    words[70] ^= 1
    streams = Encoded(
        torch.from_numpy(words),
        encoded.streams.starts,
        encoded.streams.lengths,
        encoded.streams.status,
    )
    changed = EncodedLayer(encoded.symbols, streams, encoded.outside, encoded.escaped)
    with pytest.raises(Wrong, match="layer 0, stream 0: bytes differ"):
        check_bytes(changed, CHUNKS, model, 0)


def test_a_cache_is_compared_with_what_the_symbols_say(layer: Layer) -> None:
    model, encoded, values = layer
    escapes = CHUNKS.place_escapes(
        encoded.outside.numpy(), encoded.escaped.numpy().astype(np.int64)
    )
    assert escapes.shape[1]
    payload = LayerPayload.of(
        encoded.streams.words.numpy().tobytes(),
        CHUNKS.plan((2 * encoded.streams.lengths).tolist()),
        escapes,
    )
    tables = DeviceTables.of(model.tables, model.offsets, CPU)
    subject = Subject(CHUNKS, model, tables, [payload], encoded.symbols[None], [values])
    assert 2.2 < subject.bits_a_value < 2.7  # four bytes of state a lane, in chunks this short
    # What was encoded is nearer to what is decoded than a step, but not that near.
    with pytest.raises(Wrong, match="relative error of"):
        check_cache(subject, [values])
    inverse = model.layers[0].inverse
    q = encoded.symbols.float() - 128
    q.view(-1)[encoded.outside] = encoded.escaped.float()
    y = torch.sign(q) * (q.abs() - OFFSET) * inverse.steps[:, None, None]
    decoded = torch.baddbmm(inverse.means[:, None], y, inverse.matrices.float())
    decoded = decoded.view(values.shape[0], CHUNKS.tokens, GEOMETRY.kv_heads, -1).transpose(1, 2)
    assert check_cache(subject, [decoded.to(torch.bfloat16)]) < 2e-3
