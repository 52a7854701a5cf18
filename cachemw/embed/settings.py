"""How the embedder is configured. Figures behind the defaults: loadtests/reports/embedder.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RuntimeChoice = Literal["auto", "openvino", "onnxruntime", "torch"]
Precision = Literal["auto", "f32", "bf16"]


@dataclass(frozen=True)
class EmbedderSettings:
    """Which model runs where, and how much may wait for it.

    model:         `minilm` (the packaged all-MiniLM-L6-v2), a directory, or a hub name.
    runtime:       `auto` tries the table in load.py in order; a named one is used or refused.
    device:        `cpu`, or a torch device such as `cuda:0`, which only the torch runtime serves.
    threads:       inference threads. On two idle cores two threads take 1.3 ms instead of 1.9, but
                   with one core busy, as an event loop makes it, 2.1 ms and a 99th percentile of
                   6.4 ms, where one thread keeps 2.0 and 2.5.
    precision:     `auto` computes in bf16 where the CPU has it and the prepared graph was verified
                   with it (half the latency; cosines of pairs move by up to 0.002), else in f32.
    max_batch:     texts per micro-batch.
    max_wait_ms:   longest wait for a vector, queue included; then the request goes without.
    max_queue:     texts waiting for the worker before further ones are turned away at once.
    recent_bytes:  memory for the vectors of recent texts; 0 turns it off.
    """

    model: str = "minilm"
    runtime: RuntimeChoice = "auto"
    device: str = "cpu"
    threads: int = 1
    precision: Precision = "auto"
    max_batch: int = 32
    max_wait_ms: float = 500.0
    max_queue: int = 256
    recent_bytes: int = 8 * 1024 * 1024
