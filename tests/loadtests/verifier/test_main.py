"""The command where something is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from loadtests.verifier.__main__ import main


def test_missing_data_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CACHEMW_SHARED_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["verifier", "--out", str(tmp_path / "report.md")])
    assert main() == 1
    assert str(tmp_path) in capsys.readouterr().err
    assert not (tmp_path / "report.md").exists()
