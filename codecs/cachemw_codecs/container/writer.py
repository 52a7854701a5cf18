"""Makes a container."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.container.chunk import Chunk
from cachemw_codecs.container.header import Header, Segment
from cachemw_codecs.container.layout import NAME, require_expansion
from cachemw_codecs.container.runs import runs_of
from cachemw_codecs.errors import DamagedData, InvalidInput
from cachemw_codecs.fingerprint import DIGEST_BYTES, Fingerprint

_SEGMENT_LIMIT = 1 << 32


def write(
    chunk: Chunk,
    codec: Codec,
    level: str,
    fingerprint: Fingerprint,
    begins_context: bool | None = None,
    ends_context: bool = True,
) -> bytes:
    """Encode `chunk` with `codec` at `level`.

    `begins_context`: whether nothing stood before the chunk when its KV was computed; by default
    where its positions begin at 0. `ends_context`: whether a question or an answer follows it, and
    not another chunk. Raises what `Codec.encode_layer` does, and `InvalidInput` where no reader
    would accept the result: a layer that encodes to 4 GiB, or to less than a 4096th.
    """
    codec.require_level(level)
    begins = bool(chunk.positions[0] == 0) if begins_context is None else begins_context
    codec = codec.placed(begins=begins, ends=ends_context)
    payloads = [
        codec.encode_layer(number, layer, level) for number, layer in enumerate(chunk.layers)
    ]
    for number, payload in enumerate(payloads):
        try:
            require_expansion(number, len(payload), chunk.shape)
        except DamagedData as error:
            raise InvalidInput(str(error)) from None
        if len(payload) >= _SEGMENT_LIMIT:
            raise InvalidInput(f"layer {number}: {len(payload)} bytes are more than a segment has")
    if not NAME.fullmatch(codec.name) or not NAME.fullmatch(level):
        raise InvalidInput(f"names: {codec.name!r} or {level!r} does not fit {NAME.pattern}")
    if len(codec.tables_hash) not in {0, DIGEST_BYTES}:
        raise InvalidInput(f"tables_hash: {len(codec.tables_hash)} bytes, not 0 or {DIGEST_BYTES}")
    return seal(
        Header(
            codec=codec.name,
            level=level,
            tables_hash=codec.tables_hash,
            fingerprint=fingerprint,
            shape=chunk.shape,
            runs=runs_of(chunk.positions),
            segments=(),
        ),
        payloads,
    )


def seal(header: Header, payloads: Sequence[bytes]) -> bytes:
    """Return the file of `payloads`, one a layer, behind `header`, whose segments are set anew.

    Checks nothing.
    """
    # The file says no offsets: they follow from the lengths.
    segments = tuple(Segment(0, len(payload), zlib.crc32(payload)) for payload in payloads)
    return b"".join([replace(header, segments=segments).packed(), *payloads])
