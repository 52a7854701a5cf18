from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from cachemw.calibrate.pairs import BadPairs, Pair, read_pairs

GOOD = b'{"a": "one", "b": "two", "same": 1}\n\n{"a": "x", "b": "y", "same": false, "kind": "z"}\n'


@pytest.mark.parametrize("packed", [False, True])
def test_both_forms_of_a_file(tmp_path: Path, packed: bool) -> None:
    # Told by their first bytes: the name says nothing.
    path = tmp_path / "pairs"
    path.write_bytes(gzip.compress(GOOD) if packed else GOOD)
    assert read_pairs(path) == [Pair("one", "two", same=True), Pair("x", "y", same=False)]
    assert read_pairs(path, 1) == [Pair("one", "two", same=True)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "line 3: not valid JSON"),
        (b"\xff", "line 3: not valid JSON"),
        (b'["a", "b", 1]', "line 3: not an object"),
        (b'{"b": "y", "same": 1}', "line 3, field 'a': is missing"),
        (b'{"a": "x", "same": 1}', "line 3, field 'b': is missing"),
        (b'{"a": "x", "b": "y"}', "line 3, field 'same': is missing"),
        (b'{"a": 1, "b": "y", "same": 1}', "line 3, field 'a': must be a text"),
        (b'{"a": "x", "b": " ", "same": 1}', "line 3, field 'b': must be a text"),
        (b'{"a": "x", "b": "y", "same": 2}', "line 3, field 'same': must be 0, 1"),
        (b'{"a": "x", "b": "y", "same": "1"}', "line 3, field 'same': must be 0, 1"),
        (b'{"a": "x", "b": "y", "same": 1.0}', "line 3, field 'same': must be 0, 1"),
        (b'{"a": "x", "b": "y", "same": null}', "line 3, field 'same': must be 0, 1"),
    ],
)
def test_a_wrong_line_is_named_by_number_and_field(tmp_path: Path, line: bytes, said: str) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(b'{"a": "one", "b": "two", "same": 1}\n\n' + line + b"\n")
    with pytest.raises(BadPairs) as caught:
        read_pairs(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    # What is past the limit is not read.
    assert len(read_pairs(path, 1)) == 1


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_a_file_without_pairs(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(content)
    with pytest.raises(BadPairs, match="no pair"):
        read_pairs(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    whole = gzip.compress(GOOD * 100)
    for name, content in (("cut", whole[: len(whole) // 2]), ("spoilt", whole[:12] + b"\0" * 99)):
        (tmp_path / name).write_bytes(content)
    for name in ("cut", "spoilt", "absent", "."):
        with pytest.raises(BadPairs):
            read_pairs(tmp_path / name)
