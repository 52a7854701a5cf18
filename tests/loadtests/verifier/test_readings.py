"""Readings of pairs."""

from __future__ import annotations

from pathlib import Path

import orjson

from loadtests.verifier.readings import ARGUABLE, FILE, OTHER, SAME, UNREAD, digest, read_as


def test_pairs_are_counted_by_what_they_were_read_as(tmp_path: Path) -> None:
    file = tmp_path / "readings.json"
    file.write_bytes(orjson.dumps({digest("a", "b"): SAME, digest("b", "a"): OTHER}))
    found = read_as([("a", "b"), ("b", "a"), ("a", "bc"), ("ab", "c")], file)
    assert found == {SAME: 1, OTHER: 1, UNREAD: 2}


def test_what_is_shipped_has_no_other_words() -> None:
    assert set(orjson.loads(FILE.read_bytes()).values()) == {SAME, ARGUABLE, OTHER}
