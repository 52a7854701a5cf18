"""One run, from rows to files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from loadtests.verifier.data import Row
from loadtests.verifier.train import parser, run


@pytest.fixture
def rows_file(tmp_path: Path, rows: list[Row]) -> Path:
    path = tmp_path / "rows.jsonl.gz"
    with gzip.open(path, "wt") as out:
        out.writelines(json.dumps(each) + "\n" for each in rows)
    return path


def test_a_run_scores_what_it_has_not_seen(
    rows_file: Path, rows: list[Row], tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = rows_file.parent
    options = ["--name", "a", "--epochs", "1", "--folds", "5", "--fold", "2", "--edits", "0"]
    run(parser().parse_args([str(rows_file), str(tiny), str(out), *options]))
    said = json.loads(capsys.readouterr().out)
    assert set(said) == {"name", "5%", "3%", "1%"}
    with np.load(out / "a.npz") as kept:
        held = [place for place, row in enumerate(rows) if row["part"] == "test"]
        left_out = [
            place
            for place, row in enumerate(rows)
            if row["part"] == "train" and row["kind"] == "real" and row["fold"] == 2
        ]
        assert left_out
        assert kept["positions"].tolist() == left_out + held
        assert kept["scores"].shape == kept["positions"].shape


def test_a_student_is_saved(rows_file: Path, tiny: Path) -> None:
    out = rows_file.parent
    first = [str(rows_file), str(tiny), str(out), "--epochs", "1"]
    run(parser().parse_args([*first, "--name", "teacher"]))
    soft = ["--soft", "0.7", "--soft-from", str(out / "teacher.npz")]
    run(parser().parse_args([*first, "--name", "student", "--save", *soft]))
    assert load_file(out / "student.safetensors")["head.weight"].shape == (1, 16)
