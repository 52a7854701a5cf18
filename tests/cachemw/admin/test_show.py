"""What people see."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pytest
from rich.console import Console

from cachemw.admin.show import (
    answer_text,
    counted,
    duration,
    plain,
    print_entries,
    print_entry,
    size,
)
from cachemw.admin.wire import entry_json, info_line
from cachemw.stores.base import EntryInfo
from tests.cachemw.admin.conftest import document
from tests.support.service import plain_of

NOW = 1_000_100.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (59.9, "59 s"), (60, "1 min"), (7199, "1 h"), (200_000, "2 d")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2.5e9, "2.5 GB")]
)
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text


def test_counts() -> None:
    assert [counted(n) for n in (0, 1, 1200)] == ["0 entries", "1 entry", "1,200 entries"]


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert plain("a\x1b[2Jb\x07\r\u202ec\n\td").plain == "a\ufffd[2Jb\ufffd\ufffd\ufffdc\n\td"


def test_answers_as_text_or_as_json() -> None:
    assert answer_text(plain_of("Yes.")) == "Yes."
    called = plain_of("")
    assert orjson.loads(answer_text(called)) == called
    assert answer_text({"data": []}) == '{\n  "data": []\n}'


@pytest.mark.parametrize(("width", "tenant"), [(70, False), (180, True)])
def test_a_narrow_terminal_does_without_some_columns(width: int, tenant: bool) -> None:
    written = io.StringIO()
    entries: list[Any] = [orjson.loads(info_line(EntryInfo.of(document(1), 1234)))]
    print_entries(Console(file=written, width=width), entries, NOW)
    assert ("alice" in written.getvalue()) == tenant
    row = written.getvalue().splitlines()[3]
    assert document(1).key.hex()[:12] in row
    assert "1 min" in row
    assert "1 d" in row
    assert "1.2 kB" in row
    assert "…" not in written.getvalue()


def test_an_entry_without_a_prompt() -> None:
    written = io.StringIO()
    print_entry(Console(file=written), orjson.loads(entry_json(document(1, prompt=""))), NOW)
    assert "(none kept)" in written.getvalue()
    assert "Answer 1" in written.getvalue()
