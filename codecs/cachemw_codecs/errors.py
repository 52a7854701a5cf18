"""What can go wrong, as one tree.

    CodecError
    ├── InvalidInput        what was to be encoded cannot be: shape, dtype, not finite
    ├── DamagedData         bytes that no encoder wrote, or that were changed since
    ├── UnsupportedFormat   written by a newer version, or by a codec or dtype unknown here
    ├── WrongModel          the KV is of another model, tokenizer, RoPE configuration or dtype
    └── TablesMissing       the calibration file that the data name is not at hand

Decoders raise these and nothing else, whatever the bytes are.
"""

from __future__ import annotations


class CodecError(Exception):
    """Anything this package refuses."""


class InvalidInput(CodecError):
    """The KV handed in cannot be encoded; the message names the field."""


class DamagedData(CodecError):
    """Bytes that do not decode; the message says where."""


class UnsupportedFormat(CodecError):
    """A version, codec, level or dtype that this release does not know."""


class WrongModel(CodecError):
    """Fingerprints differ: the KV would be read into a model that did not write it."""


class TablesMissing(CodecError):
    """The calibration file that the data were written with is not at hand."""
