"""All codecs, a line each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.cachegen import CacheGen
from cachemw_codecs.codecs.fp8 import Fp8
from cachemw_codecs.codecs.int8 import Int8
from cachemw_codecs.codecs.lossless import Lossless
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.codecs.transform import Transform
from cachemw_codecs.codecs.zstd import Zstd
from cachemw_codecs.errors import TablesMissing, UnsupportedFormat
from cachemw_codecs.fingerprint import tables_hash

PLAIN: Mapping[str, Callable[[], Codec]] = MappingProxyType(
    {"raw": Raw, "lossless": Lossless, "int8": Int8, "fp8": Fp8, "zstd": Zstd}
)
CALIBRATED: Mapping[str, Callable[[bytes], Codec]] = MappingProxyType(
    {"cachegen": CacheGen, "transform": Transform}
)
"""Those that take the contents of a calibration file."""

NAMES = (*PLAIN, *CALIBRATED)


class Codecs:
    """What a reader of containers takes: codecs by name and by the hash of their tables.

    `files`: contents of calibration files, of any codecs. Safe to use from several threads.
    """

    def __init__(self, files: Iterable[bytes] = ()) -> None:
        self._by_hash = {tables_hash(file): file for file in files}

    def __call__(self, name: str, tables: bytes) -> Codec:
        """Open the codec; raises `TablesMissing` where no file has this hash."""
        if name not in CALIBRATED:
            return open_codec(name)
        if tables not in self._by_hash:
            raise TablesMissing(f"{name}: no calibration file with hash {tables.hex()}")
        return open_codec(name, self._by_hash[tables])


def open_codec(name: str, tables: bytes | None = None) -> Codec:
    """Make the codec `name`, with the contents of its calibration file where it takes one.

    Raises `UnsupportedFormat` for another name, `TablesMissing` where a calibrated codec has
    none, `InvalidInput` where the file is not one of this codec.
    """
    if name in PLAIN:
        return PLAIN[name]()
    if name not in CALIBRATED:
        raise UnsupportedFormat(f"codec {name!r} is none of {', '.join(NAMES)}")
    if tables is None:
        raise TablesMissing(f"{name} needs the calibration file of the model")
    return CALIBRATED[name](tables)
