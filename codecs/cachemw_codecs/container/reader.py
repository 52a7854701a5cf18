"""Reads a container, layer by layer."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.container.chunk import Chunk
from cachemw_codecs.container.header import Header
from cachemw_codecs.container.layout import header_length
from cachemw_codecs.container.sources import Read, of_bytes
from cachemw_codecs.errors import DamagedData, TablesMissing
from cachemw_codecs.fingerprint import Fingerprint
from cachemw_codecs.kv import LayerKV

OpenCodec = Callable[[str, bytes], Codec]
"""(the codec's name, its tables' hash) -> the codec.

Raises `UnsupportedFormat` for an unknown name, `TablesMissing` where the tables are not at hand.
"""

FIRST_READ = 1024
"""Bytes asked for first: the header of one run of positions and up to 100 layers."""
MAX_DECODED_BYTES = 16 << 30


class Reader:
    """Reads the header at once, then the layers that are asked for, in any order.

    `expected`: whose KV it has to be; shape and dtype are for the caller to compare.
    `max_decoded_bytes`: what all layers may take together.
    `verify`: check the CRC-32 of each segment; False where somebody has done so already.
    `layer` and `payload` may be called from several threads at once.

    Raises `DamagedData`, `UnsupportedFormat`, `WrongModel` and `TablesMissing`, here and in
    `layer`, and what `read` raises.
    """

    def __init__(
        self,
        read: Read,
        open_codec: OpenCodec,
        expected: Fingerprint,
        *,
        max_decoded_bytes: int = MAX_DECODED_BYTES,
        verify: bool = True,
    ) -> None:
        self._read = read
        self._verify = verify
        self.header = _header(read)
        self.header.fingerprint.require(expected)
        decoded = self.header.decoded_bytes
        if decoded > max_decoded_bytes:
            raise DamagedData(f"header: decodes to {decoded} bytes, {max_decoded_bytes} allowed")
        self._codec = _codec(self.header, open_codec)

    def layer(self, number: int) -> LayerKV:
        """Read and decode one layer, from 0; `IndexError` where there is none of that number."""
        payload = self.payload(number)
        header = self.header
        return self._codec.decode_layer(number, payload, header.shape, header.level)

    def payload(self, number: int) -> bytes:
        """Read one layer's segment as its codec wrote it, for who decodes it elsewhere."""
        if not 0 <= number < self.header.layers:
            raise IndexError(f"layer {number} of {self.header.layers}")
        segment = self.header.segments[number]
        payload = self._read(segment.offset, segment.length)
        if len(payload) != segment.length:
            raise DamagedData(
                f"layer {number}: {segment.length} bytes long, only {len(payload)} are there"
            )
        if self._verify and zlib.crc32(payload) != segment.crc32:
            raise DamagedData(f"layer {number}: its checksum differs")
        return payload


def read_all(
    data: bytes,
    open_codec: OpenCodec,
    expected: Fingerprint,
    *,
    max_decoded_bytes: int = MAX_DECODED_BYTES,
    verify: bool = True,
) -> Chunk:
    """Decode a whole file. Raises as `Reader`, and `DamagedData` where bytes lack or are left."""
    reader = Reader(
        of_bytes(data), open_codec, expected, max_decoded_bytes=max_decoded_bytes, verify=verify
    )
    header = reader.header
    if len(data) != header.total_bytes:
        raise DamagedData(f"the file has {len(data)} bytes, its header says {header.total_bytes}")
    return Chunk(tuple(map(reader.layer, range(header.layers))), header.positions)


def _header(read: Read) -> Header:
    head = read(0, FIRST_READ)
    length = header_length(head)
    if length > len(head) == FIRST_READ:
        head += read(FIRST_READ, length - FIRST_READ)
    return Header.parse(head)


def _codec(header: Header, open_codec: OpenCodec) -> Codec:
    codec = open_codec(header.codec, header.tables_hash)
    if codec.name != header.codec or codec.tables_hash != header.tables_hash:
        raise TablesMissing(f"opened another codec or other tables than those of {header.codec}")
    codec.require_level(header.level)
    return codec
