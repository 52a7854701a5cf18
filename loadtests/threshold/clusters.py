"""Halves that share no question: one to choose on, one to confirm on."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from loadtests.questions import Pair


def halves(pairs: Sequence[Pair]) -> tuple[list[int], list[int]]:
    """Split the positions of `pairs` by clusters: pairs with a question in common stay together.

    The hash of a cluster's first question decides, so that the order of the pairs does not matter.
    """
    roots = clusters(pairs)
    parts: tuple[list[int], list[int]] = ([], [])
    for position, pair in enumerate(pairs):
        parts[_side(roots[pair.a])].append(position)
    return parts


def clusters(pairs: Sequence[Pair]) -> dict[str, str]:
    """Map every question to the first, by alphabet, of those that pairs connect it with."""
    parent: dict[str, str] = {}

    def root(text: str) -> str:
        parent.setdefault(text, text)
        while parent[text] != text:
            parent[text] = parent[parent[text]]
            text = parent[text]
        return text

    for pair in pairs:
        first, second = sorted((root(pair.a), root(pair.b)))
        parent[second] = first
    return {text: root(text) for text in list(parent)}


def _side(text: str) -> int:
    return blake2b(text.encode(), digest_size=1).digest()[0] & 1
