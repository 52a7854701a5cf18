"""Encoded KV as one file: `layout` documents its bytes, `writer` writes them, `reader` reads them.

Layers stand one after the other, each decodes alone, and a table in front says where each is, so
that a layer is one range read of a file, of shared memory or over HTTP.
"""

from cachemw_codecs.container.chunk import Chunk
from cachemw_codecs.container.header import Header, Segment
from cachemw_codecs.container.layout import header_length
from cachemw_codecs.container.reader import OpenCodec, Reader, read_all
from cachemw_codecs.container.sources import Read, of_bytes, of_file
from cachemw_codecs.container.writer import seal, write

__all__ = [
    "Chunk",
    "Header",
    "OpenCodec",
    "Read",
    "Reader",
    "Segment",
    "header_length",
    "of_bytes",
    "of_file",
    "read_all",
    "seal",
    "write",
]
