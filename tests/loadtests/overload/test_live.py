"""The command `live`."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtests.overload import live


def test_without_the_data_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(live, "pairs_file", lambda: tmp_path / "pairs")
    assert live.main([]) == 1
    assert "CACHEMW_SHARED_DATA" in capsys.readouterr().err
