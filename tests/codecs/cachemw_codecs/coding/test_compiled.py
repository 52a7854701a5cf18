from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cachemw_codecs
import pytest

SOURCE = """
from cachemw_codecs.coding.compiled import compiled


@compiled
def doubled(value: int) -> int:
    return value + value


print(doubled(21))
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Return a module beside which nothing can be kept: where the folder belongs is a file."""
    folder = tmp_path / "installed"
    folder.mkdir()
    (folder / "__pycache__").write_text("")
    path = folder / "script.py"
    path.write_text(SOURCE)
    return path


def run(script: Path, cache: str) -> str:
    environment = os.environ | {
        "PYTHONPATH": str(Path(cachemw_codecs.__file__).parents[1]),
        "XDG_CACHE_HOME": cache,
        "HOME": cache,
    }
    environment.pop("NUMBA_CACHE_DIR", None)
    command = [sys.executable, "-W", "error", str(script)]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_a_read_only_installation_keeps_its_code_in_the_users_cache(
    script: Path, tmp_path: Path
) -> None:
    assert run(script, str(tmp_path / "cache")) == "42\n"
    assert list((tmp_path / "cache").rglob("script.doubled*.nbi"))


def test_without_any_place_it_is_compiled_anew(script: Path) -> None:
    assert run(script, "/dev/null/nowhere") == "42\n"


def test_with_a_place_it_stays_beside_the_module(script: Path) -> None:
    (script.parent / "__pycache__").unlink()
    assert run(script, "/dev/null/nowhere") == "42\n"
    assert list((script.parent / "__pycache__").glob("script.doubled*.nbi"))
