from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cachemw.errors import ConfigError
from cachemw.verify.files import find_verifier, shipped_directory


def copied(directory: Path) -> Path:
    directory.mkdir()
    for path in shipped_directory().glob("*.safetensors"):
        shutil.copy(path, directory)
    return directory


def test_the_package_has_all_files() -> None:
    files = find_verifier()
    assert files.directory == shipped_directory()
    assert files.tokenizer.is_file()


def test_the_graph_is_named_after_the_encoder_and_not_the_trees(tmp_path: Path) -> None:
    shipped, copy = find_verifier(), find_verifier(copied(tmp_path / "copy"))
    assert copy.model_files().fingerprint == shipped.model_files().fingerprint
    copy.trees.write_bytes(b"others")
    assert copy.model_files().fingerprint == shipped.model_files().fingerprint
    copy.encoder.write_bytes(b"another")
    assert copy.model_files().fingerprint != shipped.model_files().fingerprint


@pytest.mark.parametrize("file", ["encoder.safetensors", "trees.safetensors"])
def test_a_missing_file_is_a_configuration_error(tmp_path: Path, file: str) -> None:
    directory = copied(tmp_path / "copy")
    (directory / file).unlink()
    with pytest.raises(ConfigError, match=rf"semantic\.verifier: there is no .*{file}"):
        find_verifier(directory)
