"""What the kernels encode is what the codec `transform` encodes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from cachemw_codecs.codecs.base import LADDER
from cachemw_codecs.codecs.transform import Transform
from cachemw_codecs.errors import InvalidInput, UnsupportedFormat
from cachemw_codecs.gpu import encoder as module
from cachemw_codecs.gpu.encoder import TransformEncoder
from cachemw_codecs.kv import LayerKV, LayerShape
from cachemw_codecs.transform import payload as form
from cachemw_codecs.transform.tables import TransformTables

from tests.codecs.cachemw_codecs.gpu.interpreted.batches import DEVICE, encode_on_cpu
from tests.codecs.cachemw_codecs.transform.samples import small_tables, text

LEVEL = "fine"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interpreted, the kernel of rANS takes milliseconds a step; it has tests of its own."""
    if DEVICE.type == "cpu":
        monkeypatch.setattr(module, "encode", encode_on_cpu)


def sample(tables: TransformTables, tokens: int, seed: int = 1) -> LayerKV:
    """Return a layer with values that need escapes, in the first token and among blocks."""
    kv = text(tables, 1, tokens, seed)
    for part in (kv.keys, kv.values):
        part[0, 0, 3] = 300.0
        part[-1, -1, 5] = -90.0
    return kv


def assert_alike(made: bytes, kv: LayerKV, tables: TransformTables, codec: Transform) -> None:
    """Have the same pieces as the CPU's, about the size, and next to no other symbols."""
    heads, tokens, dim = kv.keys.shape
    expected = codec.encode_layer(1, kv, LEVEL)
    width = form.stream_width(tables.channels)
    ours, theirs = (form.read(data, tokens, tables.channels, width) for data in (made, expected))
    assert [(p.tokens, p.setting) for p in ours.pieces] == [
        (p.tokens, p.setting) for p in theirs.pieces
    ]
    assert len(theirs.escapes.stream)
    assert abs(len(made) - len(expected)) <= 8 + len(expected) // 1000
    shape = LayerShape(heads, tokens, dim, torch.float32)
    found, wanted = (codec.decode_layer(1, data, shape, LEVEL) for data in (made, expected))
    for one, other in ((found.keys, wanted.keys), (found.values, wanted.values)):
        differ = (one - other).abs().amax(dim=(0, 2)) > 1e-4
        # A symbol that fell to the other side changes the tokens of its block.
        assert int(differ.sum()) <= 32


def test_a_chunk_through_all_kernels() -> None:
    tables = small_tables(1, 16)
    kv = sample(tables, 21)
    made = TransformEncoder(tables, LEVEL, DEVICE).encode_layer(1, kv)
    assert_alike(made, kv, tables, Transform(tables))


SIZES = ((1, 16), (2, 16), (1, 48), (3, 48))  # the last has two streams of 72 channels each


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("tokens", [1, 5, 95, 600])
@pytest.mark.usefixtures("quick")
def test_a_chunk_is_what_the_cpu_encodes(tokens: int, ends: bool) -> None:
    tables = small_tables(*SIZES[(tokens + ends) % len(SIZES)])
    kv = sample(tables, tokens)
    made = TransformEncoder(tables, LEVEL, DEVICE, ends_context=ends).encode_layer(1, kv)
    assert_alike(made, kv, tables, Transform(tables, ends_context=ends))


@pytest.mark.usefixtures("quick")
def test_chunks_together_are_as_they_are_alone() -> None:
    tables = small_tables(2, 16)
    alone = [sample(tables, tokens, seed=tokens) for tokens in (70, 1, 52)]
    keys, values = ([getattr(kv, name) for kv in alone] for name in ("keys", "values"))
    encoder = TransformEncoder(tables, LEVEL, DEVICE)
    made = encoder.encode_chunks(
        1, LayerKV(torch.cat(keys, dim=1), torch.cat(values, dim=1)), [70, 1, 52]
    )
    codecs = [
        Transform(tables, begins_context=chunk == 0, ends_context=chunk == 2)
        for chunk in range(len(alone))
    ]
    for data, kv, codec in zip(made, alone, codecs, strict=True):
        assert_alike(data, kv, tables, codec)


def test_what_does_not_fit_is_refused() -> None:
    tables = small_tables(1, 16)
    encoder, kv = TransformEncoder(tables, LADDER[0], DEVICE), text(tables, 0, 20, 1)
    with pytest.raises(UnsupportedFormat, match="no level"):
        TransformEncoder(tables, "best", DEVICE)
    for layer in (-1, 2):
        with pytest.raises(InvalidInput, match="layer"):
            encoder.encode_layer(layer, kv)
    for sizes in ([], [19], [0, 20], [25, -5]):
        with pytest.raises(InvalidInput, match="do not sum"):
            encoder.encode_chunks(0, kv, sizes)
    with pytest.raises(InvalidInput, match="head_dim"):
        encoder.encode_layer(0, text(small_tables(2, 16), 0, 20, 1))
    synthesis = tables.synthesis.copy()
    synthesis[1, 0, 4] = 0
    with pytest.raises(InvalidInput, match="no inverse"):
        TransformEncoder(replace(tables, synthesis=synthesis), LADDER[0], DEVICE)
    kv.values[0, 3, 3] = torch.inf
    with pytest.raises(InvalidInput, match="not finite"):
        encoder.encode_layer(0, kv)
