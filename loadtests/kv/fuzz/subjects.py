"""The codecs that are fuzzed. A new one is one line here."""

from __future__ import annotations

import torch
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.cachegen import CacheGen, profile
from cachemw_codecs.codecs.fp8 import Fp8
from cachemw_codecs.codecs.int8 import Int8
from cachemw_codecs.codecs.lossless import Lossless
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.codecs.zstd import Zstd

from loadtests.kv.fuzz.corpus import random_chunk

_SAMPLE_TOKENS = 500


def at_hand() -> list[Codec]:
    """Return them all, always the same. Those with tables have them for chunks of the corpus."""
    sample = random_chunk(_SAMPLE_TOKENS, torch.bfloat16, torch.Generator().manual_seed(0))
    return [
        Raw(),
        Int8(),
        Fp8(),
        Zstd(),
        Lossless(),
        CacheGen(profile([sample.layers])),
        CacheGen(profile([sample.layers], delta=False)),
    ]
