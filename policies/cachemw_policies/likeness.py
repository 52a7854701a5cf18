"""How alike two questions are: what the trees behind the cross-encoder look at. Own design.

Lexical features catch what an encoder of 8-bit weights is least sure of: questions that differ in
one word, or in nothing but case and space. All are linear in the length of the texts.
"""

from __future__ import annotations

import re

FEATURES: tuple[str, ...] = (
    "logit",
    "cosine",
    "words in common",
    "content words in common",
    "content words of the poorer in common",
    "content words of one alone",
    "trigrams in common",
    "words of the shorter",
    "words of the longer",
    "difference in words",
    "ratio of words",
    "first word alike",
    "last word alike",
    "texts alike",
)
"""The names of what `features` returns, in its order."""

_READ = 4000  # characters of which words are taken: well above what the encoder reads
_READ_TRIGRAMS = 1000
_WORD = re.compile(r"\w+")
_COMMON = frozenset((
    "a", "an", "and", "are", "be", "can", "could", "did", "do", "does", "for", "how", "i", "in",
    "is", "it", "me", "my", "of", "on", "or", "should", "the", "there", "to", "was", "we", "were",
    "what", "which", "why", "with", "would", "you", "your",
))  # fmt: skip


def features(stored: str, asked: str, logit: float, similarity: float) -> tuple[float, ...]:
    """Return the features of one pair, shape [len(FEATURES)].

    `logit` is the cross-encoder's, `similarity` the cosine of the embeddings, in [-1, 1]. But for
    `logit`, nothing depends on which question is the stored one.
    """
    one, other = stored.lower(), asked.lower()
    words, others = _WORD.findall(one[:_READ]), _WORD.findall(other[:_READ])
    known, known_other = set(words), set(others)
    content, content_other = known - _COMMON, known_other - _COMMON
    shared = len(content & content_other)
    either = len(content) + len(content_other) - shared
    short, long = sorted((len(words), len(others)))
    return (
        logit,
        similarity,
        _overlap(known, known_other),
        shared / max(1, either),
        shared / max(1, min(len(content), len(content_other))),
        float(either - shared),
        _overlap(_trigrams(one), _trigrams(other)),
        float(short),
        float(long),
        float(long - short),
        short / max(1, long),
        float(words[:1] == others[:1]),
        float(words[-1:] == others[-1:]),
        float(one == other or one.split() == other.split()),
    )


def _overlap(one: set[str], other: set[str]) -> float:
    """Return the share that both have of what either has (Jaccard 1912); 0 of nothing."""
    shared = len(one & other)
    return shared / max(1, len(one) + len(other) - shared)


def _trigrams(text: str) -> set[str]:
    read = text[:_READ_TRIGRAMS]
    return {a + b + c for a, b, c in zip(read, read[1:], read[2:], strict=False)}
