from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson
import pytest

from loadtests.categories.data import Question, halves, questions, vectors_of
from loadtests.questions import Vectors


class Counting:
    """Embeds a text as its length, and counts its calls."""

    name = runtime = fingerprint = "counting"
    dimension = 1
    calls = 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.calls += 1
        return np.array([[len(text)] for text in texts], dtype=np.float32)

    def cuts(self, text: str) -> bool:
        return False

    def close(self) -> None:
        pass


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with one or two rows of each data set."""
    content = {
        "semantic/clinc150-train": [
            {"text": "will it rain", "intent": "weather"},
            {"text": "never mind", "intent": "cancel"},
        ],
        "semantic/banking77-train": [{"text": "my card", "intent": "lost_card"}] * 2,
        "semantic/nl2bash": [{"text": "list files", "command": "ls"}],
        "routing/gsm8k": [{"prompt": "what is 1+1"}],
        "routing/mmlu": [{"prompt": "Who?\nA. me\nAnswer:", "subject": "virology"}],
    }
    for name, lines in content.items():
        path = tmp_path / f"{name}.jsonl.gz"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(b"\n".join(map(orjson.dumps, lines))))
    monkeypatch.setattr("loadtests.categories.data.shared", lambda: tmp_path)
    return tmp_path


@pytest.mark.usefixtures("data")
def test_questions_have_their_categories_and_come_once() -> None:
    assert questions(10) == [
        Question("will it rain", "volatile", "CLINC150"),
        Question("my card", "customer_support", "BANKING77"),
        Question("list files", "code", "NL2Bash"),
        Question("what is 1+1", "math", "GSM8K"),
        Question("Who?\nA. me", "medical", "MMLU"),
    ]


@pytest.mark.usefixtures("data")
def test_there_are_at_most_so_many_of_each_source() -> None:
    assert questions(0) == []


def test_a_question_is_in_one_half_whatever_stands_beside_it() -> None:
    asked = [Question(f"question {number}", "code", "x") for number in range(500)]
    here, there = halves(asked)
    assert sorted(here + there, key=asked.index) == asked
    assert 200 < len(here) < 300
    assert halves(asked[::-1])[0] == here[::-1]


def test_vectors_are_kept_in_a_folder(tmp_path: Path) -> None:
    embedder, folder = Counting(), tmp_path / "kept"
    first = vectors_of(embedder, ["a", "bb"], folder)
    again = vectors_of(embedder, ["a", "bb"], folder)
    assert embedder.calls == 1
    assert first.tolist() == again.tolist() == [[1.0], [2.0]]
    assert vectors_of(embedder, ["bb", "a"], folder).tolist() == [[2.0], [1.0]]


def test_without_a_folder_all_are_made() -> None:
    embedder = Counting()
    vectors_of(embedder, ["a"], None)
    vectors_of(embedder, ["a"], None)
    assert embedder.calls == 2
