"""Traffic made of a trace and of pairs."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from loadtests.overload.scores import Scored
from loadtests.overload.traffic import (
    NOTHING_NEAR,
    Mix,
    Recorded,
    arrivals,
    read_trace,
    trace_file,
    window,
)

HELD = Scored(np.arange(10), np.linspace(0, 1, 10), np.ones(10, dtype=np.bool_))
TRACE = [Recorded(float(n * n), n, 2 * n) for n in range(100)]


def test_the_traces_form(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl.gz"
    rows = (
        '{"TIMESTAMP": "2023-11-16 18:15:46.6805900", "ContextTokens": "374", "GeneratedTokens": '
        '"44"}\n'
        '{"TIMESTAMP": "2023-11-16 18:15:50.6805900", "ContextTokens": "3", "GeneratedTokens": '
        '"1"}\n'
    )
    path.write_bytes(gzip.compress(rows.encode()))
    assert read_trace(path) == [Recorded(0.0, 374, 44), Recorded(4.0, 3, 1)]


def test_where_the_trace_lies() -> None:
    found = trace_file({"CACHEMW_SHARED_DATA": "/there"})
    assert found == Path("/there/traces/azure-conv.jsonl.gz")


def test_a_window_is_requests_in_a_row() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        part = window(TRACE, 30, rng)
        assert part == TRACE[part[0].prompt_tokens :][:30]
    assert window(TRACE, 1000, rng) == TRACE


def test_time_is_scaled_and_its_bursts_stay() -> None:
    made = arrivals(TRACE, 0.5, HELD, Mix(), np.random.default_rng(1))
    assert made[0].at == 0.0
    assert made[-1].at == pytest.approx(0.5 * 99)
    # The trace's gaps grow; so do these.
    gaps = np.diff([one.at for one in made])
    assert (np.diff(gaps) > 0).all()
    assert [one.answer_tokens for one in made] == [one.answer_tokens for one in TRACE]


def test_the_mix_is_kept() -> None:
    many = [Recorded(float(n), 1, 1) for n in range(20_000)]
    mix = Mix(near=0.3, mean_age_s=100.0)
    made = arrivals(many, 1.0, HELD, mix, np.random.default_rng(1))
    near = [one for one in made if one.pair != NOTHING_NEAR]
    assert len(near) / len(made) == pytest.approx(0.3, abs=0.02)
    assert {one.pair for one in near} == set(range(10))
    assert np.mean([one.age_s for one in made]) == pytest.approx(100.0, rel=0.05)
