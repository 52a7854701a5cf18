"""Batches of tokens."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random

import pytest
from tokenizers import Tokenizer, models

from loadtests.verifier.data import MAX_TOKENS, Data, Row, batches, read


def tokenizer(folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def row(a: str, b: str) -> Row:
    return Row(a=a, b=b, same=1, kind="real", part="train", fold=0)


def test_both_questions_are_read_with_their_types(tiny: Path) -> None:
    data = Data([row("red cat", "dog"), row("one", "two")], tokenizer(tiny), "cpu")
    known = tokenizer(tiny).token_to_id
    ids, mask, types = data.batch([0, 1], [False, True])
    begin, end = known("[CLS]"), known("[SEP]")
    assert ids.tolist() == [
        [begin, known("red"), known("cat"), end, known("dog"), end],
        [begin, known("two"), end, known("one"), end, 0],
    ]
    assert mask.tolist() == [[1] * 6, [1] * 5 + [0]]
    assert types.tolist() == [[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0]]


def test_long_questions_are_cut(tiny: Path) -> None:
    data = Data([row("red " * 500, "blue")], tokenizer(tiny), "cpu")
    assert data.length(0) == MAX_TOKENS // 2 + 1


def test_batches_have_every_pair_once_and_are_of_similar_length(tiny: Path) -> None:
    rows = [row("red " * (1 + place % 40), "blue") for place in range(200)]
    data = Data(rows, tokenizer(tiny), "cpu")
    found = list(batches(data, range(200), 16, Random(1)))
    assert sorted(place for chunk in found for place in chunk) == list(range(200))
    lengths = [[data.length(place) for place in chunk] for chunk in found]
    assert max(max(each) - min(each) for each in lengths) <= 10
    assert found == list(batches(data, range(200), 16, Random(1)))
    assert found != list(batches(data, range(200), 16, Random(2)))


def test_a_tokenizer_without_the_marks_is_refused() -> None:
    bare = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    with pytest.raises(ValueError, match="CLS"):
        Data([row("a", "b")], bare, "cpu")


def test_rows_are_read_back(tmp_path: Path, rows: list[Row]) -> None:
    path = tmp_path / "rows.jsonl.gz"
    with gzip.open(path, "wt") as out:
        out.writelines(json.dumps(each) + "\n" for each in rows)
    assert read(path) == rows
