"""The sentences on which a prepared graph must equal the reference, and how close is equal.

An export can be wrong and still look plausible: a mask traced as a constant, positions counted from
the padding, the wrong pooling, no truncation. Each shows on one of these, alone or in a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

FLOOR = 0.9999
"""Lowest cosine between a runtime's vector and the reference's."""

PROBES: tuple[str, ...] = (
    "How do I reset my password?",
    "",
    "a",
    "What is the capital of France, and how many people live there today?",
    "SELECT name, count(*) FROM users WHERE id IN (1, 2, 3) GROUP BY name;",
    "def f(x: int) -> int:\n\treturn x ** 2  # square",
    "Wie ändere ich meine Lieferadresse? ¿Cómo cambio mi dirección?",
    "東京の天気はどうですか 🌧️👩🏽‍💻",
    "  leading, trailing and   repeated whitespace \n\n",
    "UPPER CASE AND lower case, 3.14159, e-mail@example.com, https://example.com/a?b=c",
    " ".join(f"word{i % 97} and another clause" for i in range(60)),
    " ".join(f"sentence number {i} says something new." for i in range(150)),
)


def worst_cosine(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    """Return the smallest cosine between rows of `left` and `right`, both [n, d] of unit rows.

    Returns -1.0 if anything is not finite or not of unit length.
    """
    if left.shape != right.shape or not np.isfinite(left).all():
        return -1.0
    if np.abs(np.linalg.norm(left, axis=1) - 1.0).max() > 1e-3:
        return -1.0
    return float(np.einsum("nd,nd->n", left, right, dtype=np.float64).min())


def worst_probe_cosine(
    embed: Callable[[Sequence[str]], NDArray[np.float32]], reference: NDArray[np.float32]
) -> float:
    """Embed the probes one by one, in one batch and in reverse; return the worst cosine.

    `reference` is [len(PROBES), d]. The single runs have no padding, the batch has much of it.
    """
    alone = np.concatenate([embed([probe]) for probe in PROBES])
    together = embed(PROBES)
    reverse = embed(PROBES[::-1])[::-1]
    return min(worst_cosine(vectors, reference) for vectors in (alone, together, reverse))
