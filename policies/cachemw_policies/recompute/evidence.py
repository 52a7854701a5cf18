"""What is known of the reused tokens of one prompt when it is decided which to recompute."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Need(StrEnum):
    """Evidence that costs computation; what was stored with the chunks is free."""

    DEVIATION = "deviation"
    """Layer 0 of all reused tokens, and K and V of layer 1 (CacheBlend)."""
    QUESTION = "question"
    """The question through all layers over the reused KV as it is."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All arrays are [tokens], over the reused tokens of the prompt in its order.

    `chunk`: number of the reused chunk a token belongs to, ascending from 0. `offset`: its place
    in that chunk. `layers`: of the model.

    Stored with the variants, from when they were computed (means over layers and heads):
    `inter`: a token's attention to earlier chunks, 0..1; 0 where nothing stood before the chunk.
    `carried`: staleness carried to a token through attention within its chunk (own design):
    in each layer what it takes from outside the chunk, and from tokens that took from there.

    Measured for this prompt, None where the selector does not need it:
    `deviation`: relative change of K and V at layer 1, >= 0.
    `question`: attention of the question to the token, mean over its tokens, heads and layers.
    """

    chunk: Ints
    offset: Ints
    layers: int
    inter: Floats
    carried: Floats
    deviation: Floats | None = None
    question: Floats | None = None

    @property
    def lengths(self) -> Ints:
        """Tokens of each chunk, [chunks]."""
        return np.bincount(self.chunk).astype(np.int64)
