"""Files changed with knowledge of the format and sealed again, so that decoders see what is bad."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import zstandard
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.container import Header, seal
from cachemw_codecs.container.layout import CRC, DTYPES, MAX_EXPANSION, PREFIX
from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.kv import LayerShape

from loadtests.kv.fuzz.mutate import Random, mutated

_T = TypeVar("_T")
_SIZES = (1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 64, 127, 128, 255, 1000, 4096, 1 << 15, 1 << 20)


@dataclass(frozen=True, slots=True)
class File:
    """A container taken apart."""

    header: Header
    payloads: tuple[bytes, ...]

    @classmethod
    def of(cls, data: bytes) -> File:
        """Take apart what is well-formed."""
        header = Header.parse(data)
        return cls(header, tuple(data[s.offset : s.offset + s.length] for s in header.segments))


class Forger:
    """Makes forged files out of `files`, for the decoders of `codecs`."""

    def __init__(self, files: Sequence[File], codecs: Sequence[Codec]) -> None:
        self._payloads = [payload for file in files for payload in file.payloads]
        self._codecs = codecs
        self._ways: tuple[Callable[[File, Random], bytes], ...] = (
            # Likelier than the others: here is what codecs read.
            *(self._bad_payload, self._bad_payload, self._other_payload, self._other_payload),
            *(
                self._recompressed,
                self._largest_shape,
                self._other_level,
                self._other_codec,
                self._other_shape,
                self._other_shape,
            ),
            *(self._other_layers, self._other_identity, self._other_runs, self._bad_header),
        )

    def forged(self, file: File, random: Random) -> bytes:
        """Return a file that differs from `file` and has the right checksums."""
        return _chosen(self._ways, random)(file, random)

    def _bad_payload(self, file: File, random: Random) -> bytes:
        place = int(random.integers(len(file.payloads)))
        payload = mutated(file.payloads[place], self._payloads, random)
        return _sealed(file, place, payload)

    def _other_payload(self, file: File, random: Random) -> bytes:
        """Another codec's, another level's, noise, or one byte all over."""
        place = int(random.integers(len(file.payloads)))
        length = len(file.payloads[place])
        payload = _chosen(
            (
                _chosen(self._payloads, random),
                _chosen(self._payloads, random),
                random.bytes(length),
                random.bytes(1) * length,
                file.payloads[place] + random.bytes(int(random.integers(1, 9))),
                file.payloads[place][: int(random.integers(length + 1))],
            ),
            random,
        )
        return _sealed(file, place, payload)

    def _recompressed(self, file: File, random: Random) -> bytes:
        """Change what is in a zstd frame; any other payload is put into one."""
        place = int(random.integers(len(file.payloads)))
        plain = file.payloads[place]
        if file.header.codec == "zstd":
            plain = zstandard.ZstdDecompressor().decompress(plain)
        changed = mutated(plain, self._payloads, random)
        compressor = zstandard.ZstdCompressor(write_content_size=bool(random.integers(4)))
        return _sealed(file, place, compressor.compress(changed))

    def _largest_shape(self, file: File, random: Random) -> bytes:
        """Claim as many tokens as the format lets a payload claim, or one more."""
        shape = file.header.shape
        least = min(map(len, file.payloads))
        most = MAX_EXPANSION * least // replace(shape, tokens=1).nbytes
        return _reshaped(file, replace(shape, tokens=most + int(random.integers(2))))

    def _other_level(self, file: File, random: Random) -> bytes:
        levels = [level for codec in self._codecs for level in codec.levels]
        return seal(replace(file.header, level=_chosen(levels, random)), file.payloads)

    def _other_codec(self, file: File, random: Random) -> bytes:
        codec = _chosen(self._codecs, random)
        level = _chosen(codec.levels, random)
        header = replace(file.header, codec=codec.name, level=level, tables_hash=codec.tables_hash)
        return seal(header, file.payloads)

    def _other_shape(self, file: File, random: Random) -> bytes:
        old = file.header.shape
        heads, tokens, dim = (
            _chosen((size, size, size + 1, max(1, size - 1), 2 * size, *_SIZES), random)
            for size in (old.kv_heads, old.tokens, old.head_dim)
        )
        dtype = _chosen((old.dtype, *DTYPES), random)
        try:
            shape = LayerShape(heads, tokens, dim, dtype)
        except InvalidInput:
            shape = replace(old, head_dim=old.head_dim + 1)
        return _reshaped(file, shape)

    def _other_layers(self, file: File, random: Random) -> bytes:
        """Fewer, more, or the same in another order."""
        count = int(random.integers(1, 2 * len(file.payloads) + 1))
        return seal(file.header, [_chosen(file.payloads, random) for _ in range(count)])

    def _other_identity(self, file: File, random: Random) -> bytes:
        other = random.bytes(16)
        mark = file.header.fingerprint
        header = _chosen(
            (
                replace(file.header, tables_hash=other),
                replace(file.header, fingerprint=replace(mark, model=other)),
                replace(file.header, fingerprint=replace(mark, tokenizer=other)),
                replace(file.header, fingerprint=replace(mark, rope=other)),
            ),
            random,
        )
        return seal(header, file.payloads)

    def _other_runs(self, file: File, random: Random) -> bytes:
        """Move the runs there are, or make up some."""
        if random.integers(2):
            moved = file.header.runs.copy()
            moved[:, 0] = random.integers(0, _chosen((200, 1 << 32), random), len(moved))
            return seal(replace(file.header, runs=moved), file.payloads)
        count = int(random.integers(1, 6))
        runs = random.integers(0, _chosen((4, file.header.tokens, 1 << 32), random), (count, 2))
        return seal(replace(file.header, runs=runs), file.payloads)

    def _bad_header(self, file: File, random: Random) -> bytes:
        """Change the header's bytes, and set its length and checksum for them."""
        header = seal(file.header, file.payloads)[: file.header.segments[0].offset - CRC.size]
        changed = mutated(header[PREFIX.size :], self._payloads, random)
        length = PREFIX.size + len(changed) + CRC.size
        body = header[:6] + length.to_bytes(4, "little") + changed
        return b"".join([body, CRC.pack(zlib.crc32(body)), *file.payloads])


def _sealed(file: File, place: int, payload: bytes) -> bytes:
    payloads = list(file.payloads)
    payloads[place] = payload
    return seal(file.header, payloads)


def _reshaped(file: File, shape: LayerShape) -> bytes:
    runs = np.array([[0, shape.tokens]], np.int64)
    return seal(replace(file.header, shape=shape, runs=runs), file.payloads)


def _chosen(options: Sequence[_T], random: Random) -> _T:
    return options[int(random.integers(len(options)))]
