"""The sequence of runs."""

from __future__ import annotations

from pathlib import Path

from loadtests.verifier.recipe import commands, runs
from loadtests.verifier.train import parser


def test_every_command_is_one_that_training_takes() -> None:
    for command in commands(Path("rows"), Path("model"), Path("out")):
        parser().parse_args(command[3:])


def test_teachers_come_before_their_students() -> None:
    done: set[str] = set()
    for name, options in runs(Path("out")):
        needed = {Path(each).stem for each in options if each.endswith(".npz")}
        assert needed <= done
        done.add(name)
    assert done == {f"{letter}{fold}" for letter in "fgs" for fold in range(5)} | {"final1"}


def test_no_two_runs_share_a_seed_and_a_fold() -> None:
    seeds = [
        options[options.index("--seed") + 1] for _, options in runs(Path()) if "--seed" in options
    ]
    assert len(set(seeds)) == len(seeds) == 15
