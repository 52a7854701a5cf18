from __future__ import annotations

import sys
from pathlib import Path

import pytest

from loadtests.categories import __main__ as module


def test_without_the_data_it_says_where_it_should_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "shared", lambda: tmp_path / "gone")
    monkeypatch.setattr(sys, "argv", ["categories", "--out", str(tmp_path / "report.md")])
    assert module.main() == 1
    assert "CACHEMW_SHARED_DATA" in capsys.readouterr().err
    assert not (tmp_path / "report.md").exists()
