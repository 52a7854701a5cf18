import argparse
from pathlib import Path

import pytest

from loadtests.kv.quality import __main__ as command
from loadtests.kv.quality.measured import Findings
from loadtests.kv.quality.results import Reference


def options(tmp_path: Path, models: str) -> argparse.Namespace:
    return argparse.Namespace(
        models=models,
        windows=2,
        only=None,
        workers=1,
        threads=1,
        recalibrate=False,
        out=tmp_path / "kv-quality.md",
        kept=tmp_path,
        date="2026-01-01",
    )


def test_a_model_that_is_not_there_is_left_out_and_said(tmp_path: Path) -> None:
    text = command.run(options(tmp_path, "large"))
    assert "**Not measured**: large: " in text
    assert "kv-model holds no model" in text


def test_each_model_has_its_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def of_model(name: str, _options: argparse.Namespace) -> tuple[Findings, list[str]]:
        reference = Reference("k", name, [1.0], [2.0])
        return Findings(name, "A model.", reference, {}, [], [], {}), [f"{name}: transform"]

    monkeypatch.setattr(command, "of_model", of_model)
    text = command.run(options(tmp_path, "lab,stories"))
    assert "(kv-quality-lab.svg)" in text
    assert (tmp_path / "kv-quality-stories.svg").exists()
    assert "lab: transform; stories: transform" in text
    assert "--models lab,stories" in text
