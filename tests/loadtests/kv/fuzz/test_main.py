from __future__ import annotations

import sys
from pathlib import Path

import pytest

from loadtests.kv.fuzz import __main__ as command
from loadtests.kv.fuzz.cases import Case
from loadtests.kv.fuzz.tally import Tally


def _run(monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr(sys, "argv", ["fuzz", *options])
    return command.main()


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "kv-fuzz.md"
    assert _run(monkeypatch, "--inputs", "600", "--seed", "3", "--out", str(out)) == 0
    text = out.read_text("utf-8")
    assert "`python -m loadtests.kv.fuzz --inputs 600 --seed 3`" in text
    for title in ("## Bars", "## Outcomes", "## Extremes"):
        assert title in text
    assert "## Faults" not in text
    assert "| inputs | at least 200 000 | 600 | **miss** |" in text
    assert "| neither a clear error nor decoded | 0 | 0 | pass |" in text


def test_a_fault_fails_it_and_is_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tally = Tally()
    tally.fault(Case(7, "sealed", "int8", b""), "crash: exit code -11")
    monkeypatch.setattr(command, "fuzzed", lambda *_: tally)
    out = tmp_path / "kv-fuzz.md"
    assert _run(monkeypatch, "--out", str(out)) == 1
    assert (
        "| 7 | changed and sealed again | int8 | crash: exit code -11 |" in capsys.readouterr().err
    )
    assert not out.exists()


def test_one_input_is_tried_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "kv-fuzz.md"
    assert _run(monkeypatch, "--only", "0", "--out", str(out)) == 0
    said = capsys.readouterr().out
    assert said.startswith("raw, ")
    assert said.endswith("DamagedData\n")
    assert not out.exists()
