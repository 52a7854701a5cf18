"""Pairs on which a prepared graph must equal the reference, and how close is equal.

As in embed/verify.py: each way for an export to be wrong (a mask traced as a constant, positions
counted from the padding, token types left out) shows on one of these, alone or in a batch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cachemw.verify.cross_encoder import CrossEncoder, TextPair, probabilities

EXACT = 0.002
"""Largest difference in probability of a graph that computes in float32."""

REDUCED = 0.02
"""The same in a reduced precision. Two pairs more than twice as far apart keep their order."""

_APART = 6  # so that four probes come together
_LONG = " ".join(f"word{i % 97} and another clause" for i in range(60))

PROBES: tuple[TextPair, ...] = (
    ("How do I reset my password?", "how do i reset my password"),
    ("How do I reset my password?", "What should I do if I forgot my password?"),
    ("How do I reset my password?", "How do I reset my router?"),
    ("How do I reset my password?", "What is the capital of France?"),
    ("What is the capital of France?", "Which city is the capital of France?"),
    ("What is the capital of France?", "What is the capital of Germany?"),
    ("What is the largest city of France?", "What is the capital of France?"),
    ("Is it safe to take aspirin with ibuprofen?", "Is it unsafe to take aspirin with ibuprofen?"),
    ("Can I cancel my order after it shipped?", "Can I cancel an order that has been shipped?"),
    ("How can I lose weight fast?", "What is the fastest way to lose weight?"),
    ("How can I lose 5 kg in a month?", "How can I lose 10 kg in a month?"),
    ("Why is the sky blue?", "What makes the sky look blue?"),
    ("Why is the sky blue?", "Why are sunsets red?"),
    ("Which is better, tea or coffee?", "Is coffee better than tea?"),
    ("", ""),
    ("", "What is the capital of France?"),
    ("SELECT name FROM users;", "SELECT name FROM orders;"),
    ("Wie ändere ich meine Lieferadresse?", "¿Cómo cambio mi dirección?"),
    ("東京の天気はどうですか 🌧️", "大阪の天気はどうですか"),
    (_LONG, _LONG),
    (_LONG, f"{_LONG} But the end is another."),
    (f"In short: {_LONG}", "What is the capital of France?"),
)


def farthest(encoder: CrossEncoder, reference: NDArray[np.float32]) -> float:
    """Return the largest difference in probability over the probes; 1.0 if any is not finite.

    `reference` is [len(PROBES)]. One by one there is little padding, in batches there is much.
    """
    alone = np.concatenate([encoder.logits([pair]) for pair in PROBES])
    # Strided, so that a batch holds short pairs and long ones.
    mixed = np.empty_like(alone)
    for start in range(_APART):
        mixed[start::_APART] = encoder.logits(PROBES[start::_APART])
    both = np.stack([alone, mixed])
    if not np.isfinite(both).all():
        return 1.0
    return float(np.abs(probabilities(both) - reference).max())
