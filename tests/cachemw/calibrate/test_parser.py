from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from cachemw.calibrate.parser import add_calibrate_parser
from cachemw.cli import main


def _parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_calibrate_parser(parser.add_subparsers())
    return parser.parse_args(["calibrate", *arguments])


def test_what_is_given_and_what_is_not() -> None:
    plain = _parsed("pairs.jsonl")
    assert (plain.pairs, plain.category, plain.limit) == (Path("pairs.jsonl"), "default", None)
    assert (plain.json, plain.labels, plain.config) == (False, None, None)
    assert _parsed("p", "--limit", "7", "--labels", "out").limit == 7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: PAIRS"),
        (["p", "--limit", "0"], "'0' is no number of pairs"),
        (["p", "--limit", "-1"], "--limit"),
        (["p", "--category", ""], "must not be empty"),
        (["p", "--label", "x"], "unrecognized arguments"),
    ],
)
def test_wrong_use(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["calibrate", *arguments])
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_help_documents_formats_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["calibrate", "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    for part in ("examples:", "exit codes:", "duplicates_served_interval", "offline", '"same": 1'):
        assert part in out
