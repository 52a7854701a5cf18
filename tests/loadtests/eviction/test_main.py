from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadtests.eviction import __main__ as command


def test_without_the_data_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CACHEMW_SHARED_DATA", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["eviction", "--out", str(tmp_path / "report.md")])
    assert command.main() == 1
    assert "CACHEMW_SHARED_DATA" in capsys.readouterr().err
    assert not (tmp_path / "report.md").exists()


def test_the_conditions_name_the_command() -> None:
    text = command._conditions(3, "2026-01-01")
    assert text.startswith("2026-01-01, ")
    assert "`python -m loadtests.eviction`" in text
    assert "over 3 seeds" in text


def test_nothing_is_reported_that_was_tuned_on() -> None:
    def parts(made: dict[str, Any]) -> set[Any]:
        return {(make.func.__name__, make.args[2]) for make in made.values()}

    lengths = np.array([1.0])
    tuned_on = parts(dict(command.tuning(Path(), lengths)))
    reported = parts(dict(command.held_out(Path(), lengths)))
    assert len(tuned_on) == len(reported) == 3
    assert not tuned_on & reported
