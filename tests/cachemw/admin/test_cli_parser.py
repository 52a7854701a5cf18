"""The arguments of `cachemw entries`."""

from __future__ import annotations

import argparse

import pytest

from cachemw.admin.cli_parser import seconds
from cachemw.cli import main


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("90", 90), ("1.5s", 1.5), ("15m", 900), ("12h", 43_200), ("7d", 604_800)],
)
def test_ages(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "d", "-1", "1y", "1h30m", "nan", "1e3", "٣"])
def test_no_ages(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        seconds(text)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["purge", "--tenant", ""], "argument --tenant: must not be empty"),
        (["purge", "--older-than", "yesterday"], "'yesterday' is no age"),
        (["get", "xyz"], "'xyz' is no id"),
        (["get", "abc"], "'abc' is no id"),
        (["delete"], "required: id"),
        (["list", "--limit", "-1"], "limit"),
        (["list", "--url", "localhost:8080"], "is no URL"),
        (["list", "--token", "secret"], "unrecognized arguments"),
        (["list", "--ten", "x"], "unrecognized arguments"),
        ([], "required: ACTION"),
    ],
)
def test_wrong_use(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["entries", *arguments])
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert said in err


def test_labels_have_one_action(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["export"], ["import", "--category", "code"]):
        with pytest.raises(SystemExit) as caught:
            main(["labels", *arguments])
        assert caught.value.code == 2
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["labels", "--help"])
    out = capsys.readouterr().out
    assert "cachemw labels import l.jsonl --dry-run" in out
    assert "exit codes" in out


def test_help_has_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["entries", "--help"])
    out = capsys.readouterr().out
    assert "cachemw entries purge --tenant acme --dry-run" in out
    assert "exit codes" in out
