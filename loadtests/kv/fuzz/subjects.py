"""The codecs that are fuzzed. A new one is one line here."""

from __future__ import annotations

from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.fp8 import Fp8
from cachemw_codecs.codecs.int8 import Int8
from cachemw_codecs.codecs.lossless import Lossless
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.codecs.zstd import Zstd


def at_hand() -> list[Codec]:
    """Return them all. Those with tables get tables for the shapes of the corpus."""
    return [Raw(), Int8(), Fp8(), Zstd(), Lossless()]
