from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from loadtests.kv.entropy import __main__ as command
from loadtests.kv.entropy.measure import Measured
from loadtests.kv.entropy.streams import laplace


def test_it_writes_what_it_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "TOKENS", 64)
    monkeypatch.setattr(command, "WIDTH", 64)
    monkeypatch.setattr(command, "SIGMAS", (1.0, 2.0))
    monkeypatch.setattr(command, "TABLES", (1, 3))
    out = tmp_path / "report.md"
    monkeypatch.setattr(sys, "argv", ["entropy", "--repeats", "2", "--out", str(out)])
    assert command.main() == 0
    text = out.read_text("utf-8")
    assert text in capsys.readouterr().out
    assert "## 1 table\n" in text
    assert "## 3 tables\n" in text
    for line in ("| 2 | entropy |", "| 1 | ours |", "| 2 | constriction |", "| 1 | zstd -1 |"):
        assert text.count(line) == 2


def test_bars_are_of_the_worst_case() -> None:
    stream = laplace(1.0, 1, 1000, 1, np.random.default_rng(0))
    slow = Measured("ours", stream.entropy * 1.02, [0.3, 0.3, 9], [0.1, 0.1, 9])
    fast = Measured("ours", stream.entropy, [1.0], [1.0])
    section = command.section(1, [(stream, [fast]), (stream, [slow])])
    assert [bar.met for bar in section.bars] == [False, False, True]
    assert [bar.measured for bar in section.bars] == ["2.00 %", "0.10", "0.30"]
    ours = section.rows[-1]
    assert ours[:4] == ("1", "ours", f"{stream.entropy * 1.02:.3f}", "+2.0%")
