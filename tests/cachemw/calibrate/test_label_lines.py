from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cachemw_policies.labels import Label, Source

from cachemw.calibrate.judge import Judged
from cachemw.calibrate.label_lines import labels, write_labels
from cachemw.calibrate.pairs import Pair

PAIRS = [Pair("a", "b", same=True), Pair("c", "d", same=False), Pair("e", "f", same=False)]
JUDGED = Judged(np.array([0.9, 0.8, 0.7]), np.array([0.75, np.nan, 0.5]), 0, 0, {"number": 1})


def test_what_has_a_score_is_a_label() -> None:
    assert set(labels(PAIRS, JUDGED, "support", "v1", 12.0)) == {
        Label("support", 0.75, True, Source.OFFLINE, "v1", 12.0),
        Label("support", 0.5, False, Source.OFFLINE, "v1", 12.0),
    }


def test_a_sorted_file_gives_labels_that_are_not() -> None:
    pairs = [Pair(f"a{n}", f"b{n}", same=n < 500) for n in range(1000)]
    judged = Judged(np.full(1000, 0.9), np.full(1000, 0.75), 0, 0, {})
    found = [label.right for label in labels(pairs, judged, "support", "v1", 12.0)]
    assert sum(found) == 500
    assert all(30 <= sum(found[n : n + 100]) <= 70 for n in range(0, 1000, 100))
    # The order is that of the questions: the same file gives the same lines.
    again = labels(pairs[::-1], judged, "support", "v1", 12.0)
    assert [label.right for label in again] == found


def test_a_line_for_each_and_no_question(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    assert write_labels(path, labels(PAIRS, JUDGED, "support", "v1", 12.0)) == 2
    first, second = sorted(map(json.loads, path.read_text().splitlines()), key=_falling)
    # All fields of a label, and so what `Label(**line)` takes.
    assert first == asdict(Label("support", 0.75, True, Source.OFFLINE, "v1", 12.0))
    assert first["source"] == "offline"
    assert second["right"] is False


def _falling(line: Any) -> float:
    return -float(line["score"])


def test_what_was_there_stays_when_it_fails(tmp_path: Path) -> None:
    def broken() -> Iterator[Label]:
        yield Label("c", 0.5, True, Source.OFFLINE, "v", 0.0)
        raise KeyboardInterrupt

    path = tmp_path / "labels.jsonl"
    path.write_text("the last ones")
    with pytest.raises(KeyboardInterrupt):
        write_labels(path, broken())
    assert path.read_text() == "the last ones"
    assert list(tmp_path.iterdir()) == [path]
