"""Documents come back as they were, and damaged ones never come back."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from threading import Thread

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cachemw.errors import ConfigError
from cachemw.stores.base import Document
from cachemw.stores.codec import (
    CorruptDocument,
    DocumentCodec,
    OtherFormat,
    UnstorableDocument,
    pack,
    shipped_dictionary,
    unpack,
)

MAX_BYTES = 1 << 20
times = st.floats(allow_nan=False)
counts = st.integers(0, 2**32 - 1)
documents = st.builds(
    Document,
    key=st.binary(max_size=64),
    tenant=st.text(),
    endpoint=st.text(),
    model=st.text(),
    created_at=times,
    expires_at=times,
    prompt=st.text(),
    body=st.binary(max_size=5000),
    upstream_seconds=times,
    prompt_tokens=counts,
    completion_tokens=counts,
    tags=st.lists(st.text()).map(tuple),
    category=st.text(),
    embedded=st.none(),
)


def resealed(key: bytes, frame: bytes) -> bytes:
    """Return `frame` with a right digest: what is left is for the frame's own checks."""
    sealed = blake2b(len(key).to_bytes(4, "little") + key + frame, digest_size=8).digest()
    return b"\x01" + sealed + frame


@given(document=documents)
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_round_trip(codec: DocumentCodec, document: Document) -> None:
    encoded = codec.encode(document)
    assert codec.decode(document.key, encoded.data) == document
    assert encoded.raw_bytes == len(pack(document))


@given(document=documents, junk=st.binary(max_size=400))
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_arbitrary_bytes_are_refused(codec: DocumentCodec, document: Document, junk: bytes) -> None:
    for data in (junk, b"\x01" + junk, resealed(document.key, junk)):
        with pytest.raises(CorruptDocument):
            codec.decode(document.key, data)


@given(payload=st.binary(max_size=200))
@settings(max_examples=500, deadline=None)
def test_a_frame_of_anything_is_a_document_or_an_error(
    codec: DocumentCodec, payload: bytes
) -> None:
    try:
        document = unpack(b"key", payload, None)
    except CorruptDocument:
        return
    assert document.body == payload[len(payload) - len(document.body) :]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Flip, drop, double or overwrite a few bytes."""
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(damaged))
        match rng.randrange(4):
            case 0:
                damaged[at] ^= 1 << rng.randrange(8)
            case 1:
                del damaged[at : at + rng.randint(1, 8)]
            case 2:
                damaged[at:at] = damaged[at : at + rng.randint(1, 8)]
            case _:
                damaged[at] = rng.randrange(256)
        if not damaged:
            break
    return bytes(damaged)


@pytest.mark.parametrize("seal", [False, True], ids=["as read", "with a right digest"])
def test_mutations_are_refused_or_harmless(
    codec: DocumentCodec, make_document: Callable[..., Document], seal: bool
) -> None:
    rng = random.Random(7)
    document = make_document(1, body=b'{"choices":[{"message":{"content":"forty-two"}}]}' * 5)
    data = codec.encode(document).data
    refused = 0
    for _ in range(4000):
        damaged = resealed(document.key, mutated(data[9:], rng)) if seal else mutated(data, rng)
        try:
            assert codec.decode(document.key, damaged) == document
        except CorruptDocument:
            refused += 1
    # Some mutations cancel out, or rewrite a byte with itself.
    assert refused > 3900


def test_every_truncation_is_refused(
    codec: DocumentCodec, make_document: Callable[..., Document]
) -> None:
    document = make_document(1)
    data = codec.encode(document).data
    for length in range(len(data)):
        with pytest.raises(CorruptDocument):
            codec.decode(document.key, data[:length])


def test_document_of_another_key_is_refused(
    codec: DocumentCodec, make_document: Callable[..., Document]
) -> None:
    data = codec.encode(make_document(1)).data
    with pytest.raises(CorruptDocument, match="another key"):
        codec.decode(make_document(2).key, data)


def test_other_dictionary_is_named(make_document: Callable[..., Document]) -> None:
    rng = random.Random(3)
    samples: list[bytes | bytearray | memoryview[int]] = [rng.randbytes(300) for _ in range(200)]
    other = zstandard.train_dictionary(4096, samples, k=64, d=8).as_bytes()
    theirs = DocumentCodec(other, level=3, max_bytes=MAX_BYTES)
    ours = DocumentCodec(shipped_dictionary(), level=3, max_bytes=MAX_BYTES)
    data = theirs.encode(make_document(1)).data
    with pytest.raises(OtherFormat, match=str(theirs.dictionary_id)):
        ours.decode(make_document(1).key, data)


def test_other_version_is_named(
    codec: DocumentCodec, make_document: Callable[..., Document]
) -> None:
    data = codec.encode(make_document(1)).data
    with pytest.raises(OtherFormat, match="version 2"):
        codec.decode(make_document(1).key, b"\x02" + data[1:])


def bomb(claimed: int | None, content: bytes, *, checksum: bool = True) -> bytes:
    """Return a frame with our dictionary whose header claims `claimed` bytes (None: nothing)."""
    compressor = zstandard.ZstdCompressor(
        dict_data=zstandard.ZstdCompressionDict(shipped_dictionary()),
        write_checksum=checksum,
        write_content_size=claimed is not None,
    )
    frame = compressor.compress(content)
    if claimed is None or claimed == len(content):
        return frame
    honest = zstandard.get_frame_parameters(frame)
    assert honest.content_size == len(content)
    width = 4
    at = frame.index(len(content).to_bytes(width, "little"))
    return frame[:at] + claimed.to_bytes(width, "little") + frame[at + width :]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (bomb(MAX_BYTES + 1, bytes(MAX_BYTES + 1)), "claims"),
        (bomb(2**32 - 1, bytes(100_000)), "claims"),
        (bomb(100_001, bytes(100_000)), "zstd"),
        (bomb(None, bytes(100_000)), "claims"),
        (bomb(1000, bytes(1000), checksum=False), "without a checksum"),
        (bomb(100_000, bytes(100_000)) + b"tail", "zstd"),
    ],
    ids=["too large", "lies: huge", "lies: one more", "no size", "no checksum", "trailing"],
)
def test_dishonest_frames_are_refused(codec: DocumentCodec, frame: bytes, reason: str) -> None:
    with pytest.raises(CorruptDocument, match=reason):
        codec.decode(b"key", resealed(b"key", frame))


def payload_with(names: bytes, *, names_length: int | None = None) -> bytes:
    length = len(names) if names_length is None else names_length
    return struct.pack("<dddIIII", 0.0, 1.0, 2.0, 3, 4, length, 0) + names


@pytest.mark.parametrize(
    "names",
    [
        b"{}",
        b"[]",
        b"not json",
        b'["t","e","m","c"]',
        b'["t","e","m","c",["tag",1]]',
        b'["t","e","m",1,[]]',
        b'["t","e","m","c",null]',
    ],
)
def test_names_that_were_never_written_are_refused(names: bytes) -> None:
    assert unpack(b"key", payload_with(b'["t","e","m","c",["tag"]]'), None).tags == ("tag",)
    with pytest.raises(CorruptDocument):
        unpack(b"key", payload_with(names), None)


def test_lengths_beyond_the_payload_are_refused() -> None:
    with pytest.raises(CorruptDocument, match="lengths add up"):
        unpack(b"key", payload_with(b"[]", names_length=2**32 - 1), None)


def test_errors_do_not_quote_what_was_stored(
    codec: DocumentCodec, make_document: Callable[..., Document]
) -> None:
    payload = pack(make_document(1, prompt="secret secret"))
    with pytest.raises(CorruptDocument) as caught:
        unpack(b"key", payload.replace(b"secret ", b"secret\xff"), None)
    assert "secret" not in repr(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(UnstorableDocument) as refused:
        codec.encode(make_document(1, prompt="secret \ud800"))
    assert "secret" not in repr(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    "change",
    [
        {"body": bytes(MAX_BYTES)},
        {"prompt_tokens": -1},
        {"completion_tokens": 2**32},
        {"tenant": "\ud800"},
        {"prompt": "\ud800"},
        {"expires_at": float("nan")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_does_not_fit_is_refused(
    codec: DocumentCodec, make_document: Callable[..., Document], change: dict[str, object]
) -> None:
    with pytest.raises(UnstorableDocument):
        codec.encode(make_document(1, **change))


def test_threads_do_not_share_contexts(
    codec: DocumentCodec, make_document: Callable[..., Document]
) -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        for turn in range(300):
            document = make_document(number, body=str(turn).encode() * (number + 1) * 50)
            if codec.decode(document.key, codec.encode(document).data) != document:
                wrong.append(number)

    threads = [Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_dictionary_helps_and_is_small(
    codec: DocumentCodec, make_document: Callable[..., Document]
) -> None:
    assert len(shipped_dictionary()) <= 110 << 10
    body = (
        b'{"id":"chatcmpl-8f2","object":"chat.completion","created":1795000000,"model":"m",'
        b'"choices":[{"index":0,"message":{"role":"assistant","content":"It is 4."},'
        b'"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,'
        b'"completion_tokens":5,"total_tokens":14}}'
    )
    encoded = codec.encode(make_document(1, body=body))
    assert len(encoded.data) < encoded.raw_bytes / 2


def test_encoding_is_stable(codec: DocumentCodec, make_document: Callable[..., Document]) -> None:
    document = make_document(1)
    assert codec.encode(document) == codec.encode(replace(document))


def test_untrained_dictionary_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="no id"):
        DocumentCodec(b"just some bytes", level=3, max_bytes=MAX_BYTES)


def test_decoder_has_no_pickle() -> None:
    source = Path(DocumentCodec.encode.__code__.co_filename).read_text(encoding="utf-8")
    assert not re.search(r"\bpickle\b|\beval\(|\bmarshal\b", source)
