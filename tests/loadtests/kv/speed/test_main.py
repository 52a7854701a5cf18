from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from loadtests.kv.speed.__main__ import main


def test_without_a_gpu_nothing_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "report.md"
    monkeypatch.setattr(sys, "argv", ["speed", "--out", str(out)])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main() == 1
    assert "no NVIDIA GPU" in capsys.readouterr().err
    assert not out.exists()
