from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import orjson
import pytest

from loadtests.eviction.streams import (
    agents,
    answer_lengths,
    conversations,
    data_folder,
    searches,
    weighed,
)

LENGTHS = np.array([10.0, 100.0])


def _write(path: Path, *rows: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(b"\n".join(map(orjson.dumps, rows))))


def test_a_search_is_asked_as_often_as_it_is_popular(tmp_path: Path) -> None:
    rows = [
        {"date": f"2020-01-0{day}", "query": query, "place": place, "popularity": count}
        for day, query, place, count in [(1, "q", "x", 3), (1, "q", "y", 1), (2, "q", "x", 2)]
    ]
    _write(tmp_path / "semantic" / "bing-queries-state.jsonl.gz", *rows)
    stream = searches(tmp_path, "state", np.random.default_rng(1), LENGTHS)
    assert np.bincount(stream.items).tolist() == [5, 1]
    assert sorted(stream.times) == stream.times.tolist()
    assert set(stream.items[-2:]) == {0}  # the second day
    assert stream.times[-2] >= 86_400


def test_conversations_ask_for_blocks(tmp_path: Path) -> None:
    rows = [{"timestamp": 500 * n, "hash_ids": [7, 100 + n]} for n in range(3)]
    _write(tmp_path / "traces" / "mooncake-synthetic.jsonl.gz", *rows)
    stream = conversations(tmp_path, np.random.default_rng(1), LENGTHS, "synthetic")
    assert stream.items.tolist() == [0, 1, 0, 2, 0, 3]
    assert stream.times.tolist() == [0, 0, 0.5, 0.5, 1, 1]


def test_halves_of_the_agents_share_no_session(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        session = {"id": name, "requests": [{"t": 1.0, "hash_ids": list(range(16))}, {"t": 2.0}]}
        _write(tmp_path / "traces" / "agent-sessions" / f"{name}.json.gz", session)
    even, odd = (agents(tmp_path, np.random.default_rng(1), LENGTHS, half) for half in (0, 1))
    assert len(even.items) == 4  # every eighth block of two sessions
    assert len(odd.items) == 2


def test_an_answer_of_a_slow_model_saves_more_and_weighs_the_same() -> None:
    items = np.arange(1000)
    stream = weighed(items, items.astype(np.float64), np.random.default_rng(1), LENGTHS)
    short = stream.sizes == stream.sizes.min()
    assert len(set(stream.sizes)) == 2
    assert sorted(set(stream.saved[short])) == [pytest.approx(0.5), pytest.approx(0.9)]
    assert stream.bytes == pytest.approx(stream.sizes.sum())


def test_the_folder_is_named_by_the_environment(tmp_path: Path) -> None:
    assert data_folder({"CACHEMW_SHARED_DATA": str(tmp_path)}) == tmp_path
    assert data_folder({}).name == "data"


def test_real_answers_have_lengths() -> None:
    if "CACHEMW_SHARED_DATA" not in os.environ:
        pytest.skip("needs the data beside the project: CACHEMW_SHARED_DATA names its folder")
    lengths = answer_lengths(data_folder())
    assert len(lengths) == 19_366
    assert lengths.min() > 0
