"""What the codec `transform` wrote, decoded by the kernels."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import torch
from cachemw_codecs.codecs.base import LADDER
from cachemw_codecs.codecs.transform import Transform
from cachemw_codecs.errors import CodecError, DamagedData, InvalidInput, UnsupportedFormat
from cachemw_codecs.gpu import layers
from cachemw_codecs.gpu.decoder import Part, TransformDecoder
from cachemw_codecs.kv import LayerKV, LayerShape
from cachemw_codecs.transform.tables import TransformTables

from tests.codecs.cachemw_codecs.gpu.interpreted.batches import DEVICE, decode_on_cpu
from tests.codecs.cachemw_codecs.transform.samples import small_tables, text

LEVEL = "fine"


def far_out(kv: LayerKV) -> LayerKV:
    """With values that need escapes, in the first token and among blocks."""
    for part in (kv.keys, kv.values):
        part[0, 0, 3] = 300.0
        part[-1, -1, 5] = -90.0
    return kv


def both(
    tables: TransformTables, payload: bytes, shape: LayerShape, layer: int = 0, level: str = LEVEL
) -> tuple[torch.Tensor, torch.Tensor]:
    """Decode by the kernels and by the CPU: [2, kv_heads, tokens, head_dim]."""
    size = (2, shape.kv_heads, shape.tokens, shape.head_dim)
    cache = torch.full(size, torch.nan, dtype=shape.dtype, device=DEVICE)
    TransformDecoder(tables, level, DEVICE).decode_layer(layer, payload, shape, cache)
    kv = Transform(tables).decode_layer(layer, payload, shape, level)
    return cache.cpu(), torch.stack([kv.keys, kv.values])


def assert_near(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Within 2^-10 of the largest keys, or values, of the tokens that may share a block."""
    error = (found.float() - expected.float()).abs().amax(dim=(1, 3))
    largest = expected.float().abs().amax(dim=(1, 3))
    near = torch.nn.functional.max_pool1d(largest[None], 31, stride=1, padding=15)[0]
    assert bool((error < 2**-10 * near).all())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interpreted, the kernel of rANS takes milliseconds a step; it has tests of its own."""
    if DEVICE.type == "cpu":
        monkeypatch.setattr(layers, "decode", decode_on_cpu)


def test_a_chunk_through_all_kernels() -> None:
    tables = small_tables(1, 16)
    payload = Transform(tables).encode_layer(1, far_out(text(tables, 1, 21, 1)), LEVEL)
    assert_near(*both(tables, payload, LayerShape(1, 21, 16, torch.float32), layer=1))


SIZES = ((1, 16), (2, 16), (1, 48), (3, 48))  # the last has two streams of 72 channels each


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("tokens", [1, 4, 21, 293, 600])
@pytest.mark.usefixtures("quick")
def test_a_chunk_is_what_the_cpu_decodes(tokens: int, ends: bool) -> None:
    heads, dim = SIZES[(tokens + ends) % len(SIZES)]
    tables = small_tables(heads, dim)
    kv = far_out(text(tables, 1, tokens, tokens))
    payload = Transform(tables, ends_context=ends).encode_layer(1, kv, LEVEL)
    assert int.from_bytes(payload[2:6], "little"), "no escapes"
    shape = LayerShape(heads, tokens, dim, torch.float32)
    assert_near(*both(tables, payload, shape, layer=1))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("level", [LADDER[0], LADDER[-1]])
def test_every_level_has_its_steps(level: str) -> None:
    tables = small_tables(2, 16)
    kv = text(tables, 0, 37, 1)
    payload = Transform(tables).encode_layer(0, kv, level)
    assert_near(*both(tables, payload, LayerShape(2, 37, 16, torch.float32), level=level))


@pytest.mark.usefixtures("quick")
def test_what_is_too_large_for_the_dtype_is_its_largest() -> None:
    tables = small_tables(1, 16)
    kv = text(tables, 0, 40, 1, torch.float32)
    kv.keys[0, 0, 3] = kv.values[0, 30, 2] = 1e30
    payload = Transform(tables).encode_layer(0, kv, LADDER[-1])
    found, expected = both(tables, payload, LayerShape(1, 40, 16, torch.float16), level=LADDER[-1])
    largest = torch.finfo(torch.float16).max
    assert float(expected.abs().max()) == largest
    assert bool((found.abs() == largest).any())
    assert bool(found.isfinite().all())


@pytest.mark.usefixtures("quick")
def test_chunks_go_where_they_belong() -> None:
    tables = small_tables(1, 16)
    codec, shape = Transform(tables), LayerShape(1, 21, 16, torch.float32)
    payloads = [codec.encode_layer(0, far_out(text(tables, 0, 21, seed)), LEVEL) for seed in (1, 2)]
    decoder = TransformDecoder(tables, LEVEL, DEVICE)
    places = (30, 2)
    parts = [Part(data, 21, at) for data, at in zip(payloads, places, strict=True)]
    cache = torch.zeros(2, 1, 60, 16, device=DEVICE)
    staged = decoder.stage(parts, 60)
    (ready,) = decoder.decode_layers([staged], [cache])
    ready.wait()
    ready.require_good()
    found = cache.cpu()
    for data, at in zip(payloads, places, strict=True):
        kv = codec.decode_layer(0, data, shape, LEVEL)
        assert_near(found[:, :, at : at + 21], torch.stack([kv.keys, kv.values]))
        found[:, :, at : at + 21] = 0
    assert not found.any()


@pytest.fixture(scope="module")
def coded() -> tuple[TransformTables, bytes]:
    tables = small_tables(1, 16)
    return tables, Transform(tables).encode_layer(0, far_out(text(tables, 0, 37, 3)), LEVEL)


SHAPE = LayerShape(1, 37, 16, torch.float32)


def _decode(decoder: TransformDecoder, data: bytes) -> torch.Tensor:
    room = torch.full((2, 2, 1, 37, 16), 77.0, device=DEVICE)
    decoder.decode_layer(0, data, SHAPE, room[0])
    assert bool((room[1] == 77).all()), "written out of bounds"
    return room[0].cpu()


@pytest.mark.usefixtures("quick")
def test_damage_is_refused_as_the_cpu_refuses_it(coded: tuple[TransformTables, bytes]) -> None:
    tables, payload = coded
    decoder, codec = TransformDecoder(tables, LEVEL, DEVICE), Transform(tables)
    random = np.random.default_rng(1)
    refused = 0
    for _ in range(25):
        changed = bytearray(payload)
        at = int(random.integers(0, len(changed)))
        changed[at] ^= 1 << int(random.integers(8))
        try:
            kv = codec.decode_layer(0, bytes(changed), SHAPE, LEVEL)
        except DamagedData:
            refused += 1
            with pytest.raises(DamagedData):
                _decode(decoder, bytes(changed))
        else:
            assert_near(_decode(decoder, bytes(changed)), torch.stack([kv.keys, kv.values]))
    assert refused


def _head(*pieces: tuple[int, int], escapes: tuple[tuple[int, int, int], ...] = ()) -> bytes:
    """Return a layer whose streams are empty."""
    listed = b"".join(struct.pack("<IHh", *escape) for escape in escapes)
    said = b"".join(struct.pack("<IB4x", *piece) for piece in pieces)
    return struct.pack("<HI", len(pieces), len(escapes)) + said + listed


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        _head((37, 2)),
        _head((5, 2), (32, 3)),
        _head(*[(1, 2)] * 37),
        _head((37, 2), escapes=((0, 3, 5),)),
        _head((36, 2)),
    ],
)
def test_what_no_encoder_wrote_is_refused(
    coded: tuple[TransformTables, bytes], data: bytes
) -> None:
    with pytest.raises(DamagedData):
        _decode(TransformDecoder(coded[0], LEVEL, DEVICE), data)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("where", ["a value", "twice", "missing"])
def test_an_escape_that_replaces_none_is_refused_by_both(
    coded: tuple[TransformTables, bytes], where: str
) -> None:
    tables, payload = coded
    pieces, escapes = struct.unpack_from("<HI", payload)
    listed = slice(6 + pieces * 9, 6 + pieces * 9 + escapes * 8)
    stream, place, value = struct.unpack("<IHh", payload[listed][-8:])
    assert place
    if where == "twice":
        head = struct.pack("<HI", pieces, escapes + 1)
        moved = payload[listed] + payload[listed][-8:]
    elif where == "missing":
        head = struct.pack("<HI", pieces, escapes - 1)
        moved = payload[listed][:-8]
    else:
        head = payload[:6]
        moved = payload[listed][:-8] + struct.pack("<IHh", stream, place - 1, value)
    changed = head + payload[6 : listed.start] + moved + payload[listed.stop :]
    for decode in (
        lambda: _decode(TransformDecoder(tables, LEVEL, DEVICE), changed),
        lambda: Transform(tables).decode_layer(0, changed, SHAPE, LEVEL),
    ):
        with pytest.raises(DamagedData, match="escape"):
            decode()


@pytest.mark.usefixtures("quick")
def test_what_does_not_fit_is_refused(coded: tuple[TransformTables, bytes]) -> None:
    tables, payload = coded
    with pytest.raises(UnsupportedFormat, match="no level 'best'"):
        TransformDecoder(tables, "best", DEVICE)
    with pytest.raises(InvalidInput, match="head_dim: 8"):
        TransformDecoder(small_tables(2, 8), LEVEL, DEVICE)
    decoder = TransformDecoder(tables, LEVEL, DEVICE)
    with pytest.raises(DamagedData, match="do not fit a cache of 36"):
        decoder.stage([Part(payload, 37)], 36)
    with pytest.raises(DamagedData, match="do not fit a cache of 40"):
        decoder.stage([Part(payload, 37, 4)], 40)
    for layer, cache in (
        (2, torch.zeros(2, 1, 37, 16, device=DEVICE)),
        (-1, torch.zeros(2, 1, 37, 16, device=DEVICE)),
        (0, torch.zeros(2, 1, 37, 16, dtype=torch.float16, device=DEVICE)),
        # Made there: a view that is copied to another device arrives without its strides.
        (0, torch.zeros(2, 1, 37, 32, device=DEVICE)[..., :16]),
    ):
        with pytest.raises(CodecError):
            decoder.decode_layer(layer, payload, SHAPE, cache)
