"""Runs the tests in `interpreted` in a process whose Triton interprets kernels on the CPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.interpreted import run_interpreted

FOLDER = Path(__file__).parent / "interpreted"


def test_the_kernels_under_tritons_interpreter() -> None:
    run_interpreted(FOLDER)


def test_the_package_needs_no_triton() -> None:
    code = (
        "import sys; sys.modules['triton'] = None; import cachemw_codecs; "
        "import cachemw_codecs.codecs, cachemw_codecs.coding.rans, cachemw_codecs.gpu"
    )
    paths = os.pathsep.join([str(Path(__file__).parents[4] / "codecs")])
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
