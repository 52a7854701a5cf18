"""Documents as bytes: what a durable store keeps under a key.

A stored document is

    version   1 byte    `_VERSION`
    digest    8 bytes   BLAKE2b of the document's key and the frame
    frame     rest      one zstd frame: dictionary id, content size and checksum in its header

and the frame holds

    numbers   `_NUMBERS`: created_at, expires_at, upstream_seconds, prompt and completion tokens,
              length of names, length of prompt
    names     a JSON array: tenant, endpoint, model, category, tags
    prompt    UTF-8
    body      the rest

The digest covers the key as well, so a damaged index that leads to another row is noticed: the
wrong tenant's answer would otherwise decode without complaint. `Document.embedded` is not in here;
the index is rebuilt from vectors alone, so stores keep them where they read without decoding.
"""

from __future__ import annotations

import math
import struct
import threading
from dataclasses import dataclass
from hashlib import blake2b
from importlib import resources

import orjson
import zstandard

from cachemw.errors import ConfigError
from cachemw.stores.base import Document, Embedded

_VERSION = 1
_DIGEST_BYTES = 8
_HEADER_BYTES = 1 + _DIGEST_BYTES
_NUMBERS = struct.Struct("<dddIIII")


class CorruptDocument(ValueError):
    """These bytes are not a document stored under this key."""


class OtherFormat(CorruptDocument):
    """Intact as far as one can tell, but of another codec version or dictionary."""


class UnstorableDocument(ValueError):
    """The document does not fit the format: too large, a count out of range, a lone surrogate."""


@dataclass(frozen=True, slots=True)
class EncodedDocument:
    """The stored form, and the size it had before compression."""

    data: bytes
    raw_bytes: int


def shipped_dictionary() -> bytes:
    """Return the zstd dictionary of the package; `loadtests/train_dictionary.py` made it."""
    return (resources.files("cachemw") / "assets" / "answers.zdict").read_bytes()


class _ThreadContexts(threading.local):
    """The compressor and decompressor of the calling thread: neither may be shared.

    `threading.local` runs `__init__` once in every thread that touches the object.
    """

    def __init__(self, dictionary: zstandard.ZstdCompressionDict, level: int) -> None:
        self.compressor = zstandard.ZstdCompressor(
            level=level,
            dict_data=dictionary,
            write_checksum=True,
            write_content_size=True,
            write_dict_id=True,
        )
        self.decompressor = zstandard.ZstdDecompressor(dict_data=dictionary)


class DocumentCodec:
    """Encodes and decodes documents; may be used from several threads.

    `dictionary` is a trained zstd dictionary, `level` the zstd level (1 to 22), `max_bytes` the
    largest document before compression. Raises `ConfigError` for a dictionary without an id.
    """

    def __init__(self, dictionary: bytes, *, level: int, max_bytes: int) -> None:
        trained = zstandard.ZstdCompressionDict(dictionary)
        self._dictionary_id = trained.dict_id()
        if self._dictionary_id == 0:
            msg = "the compression dictionary has no id: it is damaged, or not a trained one"
            raise ConfigError(msg)
        # Without this every document would digest the whole dictionary again, at ten times the
        # cost of compressing it.
        trained.precompute_compress(level=level)
        self._contexts = _ThreadContexts(trained, level)
        self._max_bytes = max_bytes

    @property
    def dictionary_id(self) -> int:
        """The id written into every frame."""
        return self._dictionary_id

    def encode(self, document: Document) -> EncodedDocument:
        """Return the stored form of all but `document.embedded`.

        Raises `UnstorableDocument`.
        """
        payload = pack(document)
        if len(payload) > self._max_bytes:
            msg = f"document of {len(payload)} bytes, the limit is {self._max_bytes}"
            raise UnstorableDocument(msg)
        frame = self._contexts.compressor.compress(payload)
        header = bytes([_VERSION]) + _digest(document.key, frame)
        return EncodedDocument(header + frame, len(payload))

    def decode(self, key: bytes, data: bytes, embedded: Embedded | None = None) -> Document:
        """Return the document stored as `data` under `key`, with `embedded` put back.

        Allocates at most `max_bytes` whatever `data` claims. Raises `OtherFormat` for a document
        of another version or dictionary and `CorruptDocument` for anything else that was not
        made by `encode` for this key.
        """
        if not data or data[0] != _VERSION:
            version = data[0] if data else "none"
            msg = f"document format version {version}, this cachemw reads {_VERSION}"
            raise OtherFormat(msg)
        frame = data[_HEADER_BYTES:]
        if data[1:_HEADER_BYTES] != _digest(key, frame):
            msg = "digest mismatch: damaged, or stored under another key"
            raise CorruptDocument(msg)
        return unpack(key, self._decompress(frame), embedded)

    def _decompress(self, frame: bytes) -> bytes:
        try:
            self._check_frame_header(frame)
            return self._contexts.decompressor.decompress(frame, allow_extra_data=False)
        except zstandard.ZstdError as error:
            msg = f"not a usable zstd frame: {error}"
            raise CorruptDocument(msg) from error

    def _check_frame_header(self, frame: bytes) -> None:
        """Refuse what decompression would believe: an absent checksum or a huge size."""
        header = zstandard.get_frame_parameters(frame)
        if header.dict_id != self._dictionary_id:
            msg = (
                f"compressed with dictionary {header.dict_id}, "
                f"this cachemw has dictionary {self._dictionary_id}"
            )
            raise OtherFormat(msg)
        if not header.has_checksum:
            msg = "frame without a checksum"
            raise CorruptDocument(msg)
        # An unknown size reads as 2**64 - 1 and is refused here too.
        if header.content_size > self._max_bytes:
            msg = f"frame claims {header.content_size} bytes, the limit is {self._max_bytes}"
            raise CorruptDocument(msg)


def _digest(key: bytes, frame: bytes) -> bytes:
    # The length keeps (key, frame) unambiguous whatever their lengths.
    digest = blake2b(len(key).to_bytes(4, "little"), digest_size=_DIGEST_BYTES)
    digest.update(key)
    digest.update(frame)
    return digest.digest()


def pack(document: Document) -> bytes:
    """Return all but key and embedding as one run of bytes; raises `UnstorableDocument`."""
    if math.isnan(document.expires_at):
        # Compares false with every clock, so it would be neither live nor expired.
        msg = "expires_at is not a number"
        raise UnstorableDocument(msg)
    try:
        names = orjson.dumps(
            [
                document.tenant,
                document.endpoint,
                document.model,
                document.category,
                document.tags,
            ]
        )
        prompt = document.prompt.encode()
        numbers = _NUMBERS.pack(
            document.created_at,
            document.expires_at,
            document.upstream_seconds,
            document.prompt_tokens,
            document.completion_tokens,
            len(names),
            len(prompt),
        )
    except UnicodeEncodeError:
        # Its message quotes the text, and so would a chained traceback.
        msg = "the prompt is not valid Unicode"
        raise UnstorableDocument(msg) from None
    except (orjson.JSONEncodeError, struct.error) as error:
        msg = f"document cannot be encoded: {error}"
        raise UnstorableDocument(msg) from error
    return b"".join((numbers, names, prompt, document.body))


def unpack(key: bytes, payload: bytes, embedded: Embedded | None) -> Document:
    """Undo `pack`; raises `CorruptDocument`."""
    try:
        numbers = _NUMBERS.unpack_from(payload)
        created_at, expires_at, upstream_seconds = numbers[:3]
        prompt_tokens, completion_tokens, names_length, prompt_length = numbers[3:]
        prompt_start = _NUMBERS.size + names_length
        body_start = prompt_start + prompt_length
        if body_start > len(payload):
            msg = f"lengths add up to {body_start} bytes, there are {len(payload)}"
            raise CorruptDocument(msg)
        names = orjson.loads(payload[_NUMBERS.size : prompt_start])
        tenant, endpoint, model, category, tags = _checked_names(names)
        prompt = payload[prompt_start:body_start].decode()
    except (struct.error, orjson.JSONDecodeError, UnicodeDecodeError):
        # None of them is chained: their messages can quote what was stored.
        msg = "the frame does not hold a document"
        raise CorruptDocument(msg) from None
    return Document(
        key=key,
        tenant=tenant,
        endpoint=endpoint,
        model=model,
        created_at=created_at,
        expires_at=expires_at,
        prompt=prompt,
        body=payload[body_start:],
        upstream_seconds=upstream_seconds,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        tags=tags,
        category=category,
        embedded=embedded,
    )


def _checked_names(names: object) -> tuple[str, str, str, str, tuple[str, ...]]:
    match names:
        case [str(tenant), str(endpoint), str(model), str(category), [*listed]]:
            tags = tuple(tag for tag in listed if isinstance(tag, str))
            if len(tags) == len(listed):
                return tenant, endpoint, model, category, tags
    msg = "the names of the document are not what was written"
    raise CorruptDocument(msg)
