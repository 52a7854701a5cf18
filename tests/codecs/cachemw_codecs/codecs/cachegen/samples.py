"""KV as a model makes it, in small: channels of different means and widths, louder tokens."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from cachemw_codecs.codecs.cachegen import profile
from cachemw_codecs.codecs.cachegen.sharing import Sharing, per_channel
from cachemw_codecs.kv import LayerKV, LayerShape

LAYERS = 3
SMALL = LayerShape(2, 25, 8, torch.bfloat16)


def text(seed: int, shape: LayerShape = SMALL, layers: int = LAYERS) -> list[LayerKV]:
    """All layers of one text; channels are the same in every text."""
    fixed = np.random.default_rng(shape.channels)
    random = np.random.default_rng(seed)
    return [LayerKV(*(_part(shape, fixed, random) for _ in range(2))) for _ in range(layers)]


def _part(
    shape: LayerShape, fixed: np.random.Generator, random: np.random.Generator
) -> torch.Tensor:
    means = fixed.normal(0, 2, (shape.kv_heads, 1, shape.head_dim))
    widths = fixed.uniform(0.1, 3, (shape.kv_heads, 1, shape.head_dim))
    loudness = random.uniform(0.8, 1.2, (1, shape.tokens, 1))
    size = (shape.kv_heads, shape.tokens, shape.head_dim)
    part = (means + widths * random.standard_normal(size)) * loudness
    return torch.from_numpy(part).to(shape.dtype)


@cache
def calibration(
    *,
    delta: bool = True,
    sharing: Sharing = per_channel,
    shape: LayerShape = SMALL,
    layers: int = LAYERS,
) -> bytes:
    samples = [
        text(seed, LayerShape(shape.kv_heads, 60, shape.head_dim, shape.dtype), layers)
        for seed in range(100, 108)
    ]
    return profile(samples, delta=delta, sharing=sharing)
