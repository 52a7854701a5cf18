from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from cachemw_policies.policy_file import parse_policy

from loadtests.categories import effort as module
from loadtests.categories.effort import effort, seconds
from loadtests.questions import Vectors


class Letters:
    """Embeds a text by its first letter."""

    name = runtime = fingerprint = "letters"
    dimension = 4

    def __init__(self) -> None:
        self.texts = 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.texts += len(texts)
        return np.eye(4, dtype=np.float32)[[ord(text[0]) % 4 for text in texts]]

    def cuts(self, text: str) -> bool:
        return False

    def close(self) -> None:
        pass


def test_all_sizes_are_timed_and_examples_embedded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CALLS", 10)
    monkeypatch.setattr(module, "SIZES", (2, 3))
    embedder = Letters()
    policies = parse_policy("categories: {x: {examples: [a, e]}, y: {examples: [b, f]}}")
    vectors = np.eye(4, dtype=np.float32).repeat(8, axis=0)
    section = effort(embedder, policies, vectors)
    assert [row[:2] for row in section.rows] == [("2 (shipped)", "4"), ("2", "16"), ("3", "24")]
    assert all(row[2].endswith(" ms") for row in section.rows)
    assert embedder.texts == 4


def test_time_passes() -> None:
    assert seconds(lambda: sum(range(1000))) > 0
