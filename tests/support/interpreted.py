"""Runs tests of kernels in a process whose Triton interprets them on the CPU."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest


def run_interpreted(folder: Path) -> None:
    """Run the tests in `folder`; skips without Triton, fails where they fail or one is skipped."""
    if importlib.util.find_spec("triton") is None:
        pytest.skip("triton is not installed")
    # No conftest further up: they load models.
    command = [sys.executable, "-m", "pytest", "-q", f"--confcutdir={folder.parent}", str(folder)]
    environment = {
        **os.environ,
        "TRITON_INTERPRET": "1",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "skipped" not in done.stdout
