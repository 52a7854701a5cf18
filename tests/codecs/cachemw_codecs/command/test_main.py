from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cachemw_codecs.command.main import main

SMALL = ["--tokens", "40", "--continuation", "10", "--dtype", "float32"]


def run(capsys: pytest.CaptureFixture[str], *arguments: str, **more: Any) -> tuple[int, str, str]:
    code = main(arguments, **more)
    out, err = capsys.readouterr()
    return code, out, err


def test_measure_prints_a_table(capsys: pytest.CaptureFixture[str], model_folder: Path) -> None:
    code, out, _ = run(capsys, "measure", "--model", str(model_folder), *SMALL, "--codec", "int8")
    assert code == 0
    assert "2 layers, 2 KV heads of 16, float32" in out
    assert out.splitlines()[-1].startswith("int8")


def test_measure_prints_json(capsys: pytest.CaptureFixture[str], model_folder: Path) -> None:
    code, out, _ = run(capsys, "measure", "--model", str(model_folder), *SMALL, "--json")
    value = json.loads(out)
    assert code == 0
    assert {"raw", "int8"} <= {row["codec"] for row in value["rows"]}
    assert value["rows"][0]["kl"] == pytest.approx(0.0, abs=1e-9)
    assert (value["tokens"], value["continuation"]) == (40, 10)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--codec", "none-such"], "none-such"),
        (["--codec", "raw", "--level", "coarse"], "coarse"),
        (["--tables", "/none/such"], "No such file"),
        (["--text", "/none/such"], "No such file"),
        (["--tokens", "502"], "made for 512"),
    ],
)
def test_refusals_are_one_line_and_exit_1(
    capsys: pytest.CaptureFixture[str], model_folder: Path, arguments: list[str], says: str
) -> None:
    code, out, err = run(capsys, "measure", "--model", str(model_folder), *SMALL, *arguments)
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith("cachemw_codecs: ")
    assert says in err


@pytest.mark.parametrize("given", [["--codec", "no-codec"], ["--text", "no-file"]])
def test_what_can_be_is_refused_before_the_model_is_loaded(
    capsys: pytest.CaptureFixture[str], given: list[str]
) -> None:
    code, _, err = run(capsys, "measure", "--model", "/none/such", *given)
    assert code == 1
    assert given[1] in err
    assert "loaded" not in err


def test_calibrate_writes_the_file(
    capsys: pytest.CaptureFixture[str], model_folder: Path, tmp_path: Path
) -> None:
    text, out = tmp_path / "text.txt", tmp_path / "out.safetensors"
    text.write_text("a story " * 100)
    given: list[int] = []

    def calibrator(model: object, texts: Any) -> bytes:
        given.extend(part.numel() for part in texts)
        return b"tables"

    code, printed, _ = run(
        capsys,
        *("calibrate", "--model", str(model_folder), "--text", str(text), "--out", str(out)),
        *("--codec", "mine", "--tokens", "300"),
        calibrators={"mine": calibrator},
    )
    assert code == 0
    assert out.read_bytes() == b"tables"
    assert printed == f"{out}: 6 bytes\n"
    assert given == [300]


def test_an_interrupt_has_its_code(
    capsys: pytest.CaptureFixture[str], model_folder: Path, tmp_path: Path
) -> None:
    def interrupted(model: object, texts: object) -> bytes:
        raise KeyboardInterrupt

    (tmp_path / "text").write_text("text")
    code, _, _ = run(
        capsys,
        *("calibrate", "--model", str(model_folder), "--text", str(tmp_path / "text")),
        *("--out", str(tmp_path / "out"), "--codec", "mine"),
        calibrators={"mine": interrupted},
    )
    assert code == 130
