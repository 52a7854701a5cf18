"""How the verifier is configured."""

from __future__ import annotations

from dataclasses import dataclass

from cachemw.embed.settings import Precision, RuntimeChoice

SHIPPED = "shipped"
NONE = "none"


@dataclass(frozen=True)
class VerifierSettings:
    """Which model reads both questions, and how much may wait for it.

    model:      `shipped`, `none` (the score is then the cosine similarity), or a
                sentence-transformers CrossEncoder by its directory or hub name.
    runtime:    of the shipped one: `auto` tries the embedder's table in order.
    precision:  of the shipped one: `auto` computes in bf16 where the CPU has it and the prepared
                graph was verified with it, else in f32.
    threads:    inference threads; one, for the reason given in embed/settings.py.
    timeout_ms: longest wait for the scores of one lookup, queue included; then it is a miss.
    max_batch:  pairs of several lookups per call of the model.
    max_queue:  lookups waiting before further ones are turned away at once.
    """

    model: str = SHIPPED
    runtime: RuntimeChoice = "auto"
    precision: Precision = "auto"
    threads: int = 1
    timeout_ms: float = 50.0
    max_batch: int = 8
    max_queue: int = 64
