from __future__ import annotations

import pytest
from cachemw_codecs.command.parser import make_parser


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["measure"],
        ["measure", "--model", "m", "--tokens", "0"],
        ["measure", "--model", "m", "--tokens", "many"],
        ["measure", "--model", "m", "--dtype", "float64"],
        ["calibrate", "--model", "m", "--text", "t", "--out", "o", "--codec", "none-such"],
    ],
)
def test_wrong_arguments_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        make_parser(["mine"]).parse_args(arguments)
    assert caught.value.code == 2
    assert "usage: python -m cachemw_codecs" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["measure", "calibrate"])
def test_help_has_examples_and_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        make_parser(["mine"]).parse_args([command, "--help"])
    out = capsys.readouterr().out
    assert caught.value.code == 0
    assert f"python -m cachemw_codecs {command} --model" in out
    assert "exit codes:" in out


def test_tables_may_come_from_several_files() -> None:
    given = ["measure", "--model", "m", "--tables", "a", "--tables", "b"]
    assert list(map(str, make_parser([]).parse_args(given).tables)) == ["a", "b"]
