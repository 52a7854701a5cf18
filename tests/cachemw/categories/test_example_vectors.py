from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from cachemw.categories.example_vectors import ExampleVectors, Vectors

TEXTS = ["a", "bb", "ccc"]


class ByLength:
    """Embeds a text as its length, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> Vectors:
        assert len(texts) <= 32
        self.asked += texts
        return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)


@pytest.fixture
def embed() -> ByLength:
    return ByLength()


def _lengths(vectors: Vectors) -> list[float]:
    return [float(length) for length in vectors[:, 0]]


@pytest.mark.parametrize("count", [1, 32, 33, 100])
def test_vectors_stand_in_the_order_of_their_texts(embed: ByLength, count: int) -> None:
    texts = [f"{number} " + "x" * (7 * number % 50) for number in range(count)]
    assert _lengths(ExampleVectors(embed, "f").of(texts)) == [len(text) for text in texts]


def test_no_texts_have_no_vectors(embed: ByLength, tmp_path: Path) -> None:
    vectors = ExampleVectors(embed, "f", tmp_path)
    assert len(vectors.of([])) == 0
    assert not list(tmp_path.iterdir())


def test_unchanged_texts_are_not_embedded_again(embed: ByLength) -> None:
    vectors = ExampleVectors(embed, "f")
    vectors.of(TEXTS)
    assert _lengths(vectors.of(["ccc", "dddd", "a"])) == [3, 4, 1]
    assert embed.asked == ["a", "bb", "ccc", "dddd"]


def test_what_was_not_asked_for_last_is_forgotten(embed: ByLength) -> None:
    vectors = ExampleVectors(embed, "f")
    vectors.of(TEXTS)
    vectors.of(["a"])
    vectors.of(TEXTS)
    assert embed.asked == ["a", "bb", "ccc", "bb", "ccc"]


def test_the_next_start_reads_them(embed: ByLength, tmp_path: Path) -> None:
    first = ExampleVectors(embed, "f", tmp_path / "made").of(TEXTS)
    second = ExampleVectors(ByLength(), "f", tmp_path / "made").of(TEXTS)
    assert second.tobytes() == first.tobytes()
    assert len(embed.asked) == 3
    assert second.flags.writeable


@pytest.mark.parametrize(
    ("fingerprint", "texts"),
    [("g", TEXTS), ("f", TEXTS[::-1]), ("f", ["ab", "b", "ccc"]), ("f", TEXTS[:2])],
)
def test_other_models_and_other_texts_are_embedded(
    embed: ByLength, tmp_path: Path, fingerprint: str, texts: list[str]
) -> None:
    ExampleVectors(ByLength(), "f", tmp_path).of(TEXTS)
    assert _lengths(ExampleVectors(embed, fingerprint, tmp_path).of(texts)) == list(map(len, texts))
    assert sorted(embed.asked) == sorted(texts)


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "no checksum"])
def test_damaged_files_are_made_again(
    embed: ByLength, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    ExampleVectors(ByLength(), "f", tmp_path).of(TEXTS)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    damaged = {
        "cut": whole[:-1],
        "changed": whole[:-1] + bytes([whole[-1] ^ 1]),
        "empty": b"",
        "no checksum": whole[32:],
    }
    file.write_bytes(damaged[damage])
    assert _lengths(ExampleVectors(embed, "f", tmp_path).of(TEXTS)) == [1, 2, 3]
    assert file.read_bytes() == whole
    assert len(caplog.records) == 1


def test_few_files_are_kept(embed: ByLength, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("not ours")
    vectors = ExampleVectors(embed, "f", tmp_path)
    for number in range(20):
        vectors.of([f"{number}", "x"])
    assert len(list(tmp_path.glob("*.examples"))) == 8
    assert other.exists()


def test_a_folder_that_cannot_be_written_costs_only_the_next_start(
    embed: ByLength, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "file"
    folder.write_text("in the way")
    assert _lengths(ExampleVectors(embed, "f", folder).of(TEXTS)) == [1, 2, 3]
    assert [record.message for record in caplog.records] == [
        "example vectors are not kept: File exists"
    ]


def test_what_the_embedder_raises_is_raised_and_nothing_is_kept(tmp_path: Path) -> None:
    def broken(texts: Sequence[str]) -> Vectors:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        ExampleVectors(broken, "f", tmp_path).of(TEXTS)
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(
    embed: ByLength, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vectors = ExampleVectors(embed, "f", tmp_path)
    vectors.of(TEXTS)
    (file,) = tmp_path.iterdir()
    file.unlink()
    (file / "a folder in its place").mkdir(parents=True)
    assert _lengths(ExampleVectors(embed, "f", tmp_path).of(TEXTS)) == [1, 2, 3]
    assert list(tmp_path.iterdir()) == [file]
    assert len(caplog.records) == 1
