"""The codecs that are fuzzed. A new one is one line here."""

from __future__ import annotations

import numpy as np
import torch
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.codecs.cachegen import CacheGen, profile
from cachemw_codecs.codecs.fp8 import Fp8
from cachemw_codecs.codecs.int8 import Int8
from cachemw_codecs.codecs.lossless import Lossless
from cachemw_codecs.codecs.raw import Raw
from cachemw_codecs.codecs.transform import Transform
from cachemw_codecs.codecs.zstd import Zstd
from cachemw_codecs.container import Chunk
from cachemw_codecs.kv import by_token
from cachemw_codecs.transform.calibrate import fit
from cachemw_codecs.transform.sensitivity import Observed, Reading
from cachemw_codecs.transform.tables import TransformTables
from torch import Tensor

from loadtests.kv.fuzz.corpus import HEADS, random_chunk

_SAMPLE_TOKENS = 500
_GRADIENT = 0.01
"""Of each value's log-likelihood: steps come out as coarse as with a model of language."""


def at_hand() -> list[Codec]:
    """Return them all, always the same. Those with tables have them for chunks of the corpus."""
    noise = torch.Generator().manual_seed(0)
    sample = random_chunk(_SAMPLE_TOKENS, torch.float32, noise)
    return [
        Raw(),
        Int8(),
        Fp8(),
        Zstd(),
        Lossless(),
        CacheGen(profile([sample.layers])),
        CacheGen(profile([sample.layers], delta=False)),
        Transform(_sensitive(sample, noise)),
    ]


def _sensitive(sample: Chunk, noise: torch.Generator) -> TransformTables:
    """Fit tables to a model that minds all values alike."""

    def observed(part: Tensor) -> Observed:
        rows = by_token(part).numpy()
        gradients = torch.randn(rows.shape, generator=noise).numpy() * np.float32(_GRADIENT)
        return Observed(rows, gradients)

    parts = [observed(part) for layer in sample.layers for part in (layer.keys, layer.values)]
    nothing = torch.empty(0)
    return fit([Reading(tuple(parts), sample.positions, nothing, nothing)], kv_heads=HEADS)
