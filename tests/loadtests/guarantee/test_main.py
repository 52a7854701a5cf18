"""The command, up to where it needs the data."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.guarantee.__main__ import main


def test_without_the_data_it_says_where_it_looked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CACHEMW_SHARED_DATA", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["guarantee"])
    assert main() == 1
    assert str(tmp_path) in capsys.readouterr().err
