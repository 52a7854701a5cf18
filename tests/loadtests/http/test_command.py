"""A report is printed and written; what was incorrect is said and writes nothing."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtests.http.command import write_report
from loadtests.http.shots import Incorrect


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """Keep the tests' own handler of SIGTERM."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_report_is_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = argparse.Namespace(out=tmp_path / "reports" / "r.md")
    assert write_report(lambda _: "# Report", options) == 0
    assert options.out.read_text() == "# Report"
    assert capsys.readouterr().out == "# Report\n"


def test_nothing_to_say_writes_nothing(tmp_path: Path) -> None:
    options = argparse.Namespace(out=tmp_path / "r.md")
    assert write_report(lambda _: "", options) == 0
    assert not options.out.exists()


def test_what_is_incorrect_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def wrong(_: argparse.Namespace) -> str:
        raise Incorrect("another text")

    options = argparse.Namespace(out=tmp_path / "r.md")
    assert write_report(wrong, options, "incorrect") == 1
    assert capsys.readouterr().err == "incorrect: another text\n"
    assert not options.out.exists()
