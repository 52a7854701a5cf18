import torch
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.container import Chunk

from loadtests.kv.quality.passage import Wire, mixed, pieces, prefill, values_of
from loadtests.kv.quality.subjects import Subject


def some_chunk(subject: Subject) -> Chunk:
    return prefill(subject.model, torch.arange(3, 43))


def same(a: Chunk, b: Chunk) -> bool:
    return torch.equal(a.positions, b.positions) and all(
        torch.equal(x.keys, y.keys) and torch.equal(x.values, y.values)
        for x, y in zip(a.layers, b.layers, strict=True)
    )


def test_uncompressed_is_bfloat16(subject: Subject) -> None:
    chunk = some_chunk(subject)
    assert chunk.shape.dtype is torch.bfloat16
    assert chunk.shape.tokens == 40
    assert values_of(chunk) == 2 * 2 * 40 * 16


def test_pieces_are_read_alone_and_joined(subject: Subject) -> None:
    chunk = some_chunk(subject)
    assert [p.shape.tokens for p in pieces(chunk, 16)] == [16, 16, 8]
    wire = Wire(Raw(), "raw", 16, subject.fingerprint)
    files = list(wire.files(chunk))
    assert len(files) == 3
    assert sum(map(len, files)) > 2 * values_of(chunk)
    assert same(wire.read(files), chunk)


def test_a_part_is_taken_and_the_other_left(subject: Subject, shaky: Codec) -> None:
    chunk = some_chunk(subject)
    wire = Wire(shaky, "1", 40, subject.fingerprint)
    decoded = wire.read(list(wire.files(chunk)))
    keys, values = (mixed(chunk, decoded, part) for part in ("keys", "values"))
    assert torch.equal(keys.layers[1].keys, decoded.layers[1].keys)
    assert torch.equal(keys.layers[1].values, chunk.layers[1].values)
    assert torch.equal(values.layers[1].keys, chunk.layers[1].keys)
    assert torch.equal(values.layers[1].values, decoded.layers[1].values)
    assert mixed(chunk, decoded, "both") is decoded
