"""A chunk's KV as it was computed behind one prefix (Cache-Craft, section 3: variants)."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

import numpy as np
from cachemw_codecs.kv import LayerKV
from numpy.typing import NDArray

HASH_BYTES = 16


def tokens_hash(tokens: tuple[int, ...]) -> bytes:
    """16 bytes that name a sequence of tokens."""
    packed = np.asarray(tokens, dtype=np.int64).tobytes()
    return blake2b(packed, digest_size=HASH_BYTES).digest()


@dataclass(frozen=True, slots=True)
class ChunkKey:
    """`tenant`: whose it is, never shared. `model`: digest of weights, tokenizer, RoPE, dtype.

    `tokens`: `tokens_hash` of the chunk.
    """

    tenant: bytes
    model: bytes
    tokens: bytes


@dataclass(frozen=True, slots=True)
class Origin:
    """What stood before a variant when it was computed, and what the chunk took from it.

    `context`: `tokens_hash` of all tokens before it, special and fresh ones included.
    `exact`: all KV before it was exact too: behind an equal `context` this is what a full prefill
    gives. Approximate KV is never exact.
    `behind`: `tokens_hash` of each reusable segment before it, in order.
    `inter_sums`: [behind] attention to each, summed over the chunk's tokens, mean over layers and
    heads: sum of a_kl of Cache-Craft. `intra`: the same of the chunk to itself.
    `inter`, `carried`: [tokens] float32, as in `cachemw_policies.recompute.evidence.Evidence`.
    """

    context: bytes
    exact: bool
    behind: tuple[bytes, ...]
    behind_lengths: tuple[int, ...]
    inter_sums: NDArray[np.float32]
    intra: float
    inter: NDArray[np.float32]
    carried: NDArray[np.float32]


class LayerSource(Protocol):
    """KV of one variant, layer by layer, keys before RoPE."""

    def layer(self, number: int) -> LayerKV:
        """Return layer `number`; raises `ChunkGone`. May be called from another thread."""
