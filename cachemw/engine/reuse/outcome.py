"""What a prefill comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

How = Literal["full", "prefix", "reuse"]
"""All computed; a prefix taken exactly as it was; passages reused with some tokens recomputed."""


@dataclass(frozen=True, slots=True)
class ChunkAccount:
    """One reusable segment.

    `cfo` and `overlap` (beta') as decided; None where it was not reused.
    """

    tokens: int
    outcome: Literal["exact", "reused", "computed"]
    recomputed: int
    cfo: float | None = None
    overlap: float | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Token counts of one prefill, and its cost in token-layers, everything charged.

    `prompt` = `full` (computed in all layers: questions, glue, passages not found) + `exact`
    (taken from an exact prefix) + `reused` (from chunks; `recomputed` of these in some layer).
    `token_layers`: computed ones, evidence for the selector included. `why_full`: set where reuse
    was possible and did not happen.
    """

    how: How
    prompt: int
    full: int
    exact: int
    reused: int
    recomputed: int
    token_layers: float
    chunks: tuple[ChunkAccount, ...] = ()
    selector: str = ""
    load_seconds: float = 0.0
    wait_seconds: float = 0.0
    why_full: str | None = None

    @property
    def cached(self) -> int:
        """`usage.prompt_tokens_details.cached_tokens`: not computed in all layers."""
        return self.exact + self.reused - self.recomputed


@dataclass(frozen=True, slots=True)
class Prefilled:
    """`logits` [vocabulary] float32 behind the last token, and what it took."""

    logits: Tensor
    account: Account
