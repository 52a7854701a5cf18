"""What the engine asks of attention."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor


class Attention(ABC):
    """Exact causal attention by absolute position; one implementation a file."""

    name: ClassVar[str]

    @abstractmethod
    def attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, positions: Tensor, scale: float
    ) -> Tensor:
        """Return softmax(scale x QK^T) V, [queries, heads x head_dim], in the values' dtype.

        `queries` [heads, queries, head_dim] and `keys` [kv_heads, keys, head_dim] are rotated;
        key j stands at position j. `positions`, int64 [queries], strictly ascending: the query at
        p sees the keys at 0..p and no other, so p < keys. Query head h reads key head
        h // (heads / kv_heads).
        """
