"""The report's words; its figures need the data and are made by the command."""

from __future__ import annotations

import argparse

from loadtests.verifier import compare
from loadtests.verifier.recipe import runs
from loadtests.verifier.runs import RUNS
from loadtests.verifier.train import parser


def test_conditions_say_how_and_what_is_not_held_out() -> None:
    said = compare.conditions(argparse.Namespace(date="2026-01-01", rounds=300))
    assert said.startswith("2026-01-01")
    for word in ("python -m loadtests.verifier", "300 draws", "Not as held out", "68%"):
        assert word in said


def test_what_was_run_for_good_is_in_the_table_of_what_was_tried() -> None:
    tried = {name for _, names, _ in compare._TRIED for name in names}
    assert {name for name, _ in runs(RUNS)} <= tried
    assert parser().prog.endswith("train")
