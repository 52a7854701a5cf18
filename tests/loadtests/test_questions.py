from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from loadtests.questions import Pair, Vectors, distinct, embedded, pairs_file, read_pairs


class ByLength:
    """Embeds a text as its length, and remembers its batches."""

    name = runtime = fingerprint = "by length"
    dimension = 1

    def __init__(self) -> None:
        self.batches: list[Sequence[str]] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.batches.append(texts)
        return np.array([[len(text)] for text in texts], dtype=np.float32)

    def cuts(self, text: str) -> bool:
        return False

    def close(self) -> None:
        pass


def test_pairs_are_read(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": "x", "b": "y", "same": 1}\n'))
    assert read_pairs(path) == [Pair("x", "y", same=True)]


def test_the_data_lies_where_the_environment_says() -> None:
    expected = Path("/data/semantic/question-pairs.jsonl.gz")
    assert pairs_file({"CACHEMW_SHARED_DATA": "/data"}) == expected


def test_every_question_comes_once() -> None:
    pairs = [Pair("b", "a", same=True), Pair("a", "c", same=False)]
    assert distinct(pairs) == ["b", "a", "c"]


@pytest.mark.parametrize("count", [0, 1, 33])
def test_vectors_stand_in_the_order_of_their_texts(count: int) -> None:
    texts = ["x" * (7 * number % count + 1) for number in range(count)]
    embedder = ByLength()
    assert embedded(embedder, texts)[:, 0].tolist() == [len(text) for text in texts]
    assert all(len(batch) <= 32 for batch in embedder.batches)
