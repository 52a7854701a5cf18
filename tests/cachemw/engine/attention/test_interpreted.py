"""Runs the tests in `interpreted` in a process whose Triton interprets kernels on the CPU."""

from __future__ import annotations

from pathlib import Path

from tests.support.interpreted import run_interpreted

FOLDER = Path(__file__).parent / "interpreted"


def test_the_kernels_under_tritons_interpreter() -> None:
    run_interpreted(FOLDER)
