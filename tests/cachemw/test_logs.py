"""Every line is JSON, whatever is logged, and no exception's text is in it."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachemw.logs import JsonFormatter, PlainFormatter, set_up_logs

PROMPT = "what is my diagnosis"


class Odd:
    def __str__(self) -> str:
        return "odd"


def record(message: str = "said", *args: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("cachemw.test", logging.WARNING, __file__, 1, message, args, None)
    vars(made).update(extra)
    return made


def failed(error: Exception) -> logging.LogRecord:
    made = record("request failed")
    made.exc_info = (type(error), error, None)
    return made


def as_json(made: logging.LogRecord) -> dict[str, Any]:
    line = JsonFormatter().format(made)
    assert "\n" not in line
    read = json.loads(line)
    assert isinstance(read, dict)
    return read


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line() -> None:
    line = as_json(record("took %d of %s", 3, "them", dependency="store", calls=2))

    assert datetime.fromisoformat(line.pop("time")).utcoffset() is not None
    assert line == {
        "level": "warning",
        "logger": "cachemw.test",
        "message": "took 3 of them",
        "dependency": "store",
        "calls": 2,
    }


@given(st.text(), st.text())
def test_any_text_is_one_line_of_json(message: str, extra: str) -> None:
    as_json(record("%s", message, more=extra))


@pytest.mark.parametrize(
    "value",
    [2**80, float("nan"), "\ud800", {1: "a"}, {(1, 2): "a"}, b"\xff", Odd(), {Odd()}],
    ids=["large", "nan", "surrogate", "int key", "tuple key", "bytes", "object", "set"],
)
def test_any_value_is_written_somehow(value: object) -> None:
    assert "more" in as_json(record(more=value))


@pytest.mark.parametrize("formatter", [JsonFormatter(), PlainFormatter()])
def test_of_an_exception_the_kind_alone_is_told(formatter: logging.Formatter) -> None:
    for made in (failed(ValueError(PROMPT)), record(error=ValueError(PROMPT))):
        line = formatter.format(made)

        assert "ValueError" in line
        assert PROMPT not in line


async def test_nor_does_asyncio_tell_of_a_lost_task(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("info", "json")

    async def fail() -> None:
        raise ValueError(PROMPT)

    task = asyncio.ensure_future(fail())
    await asyncio.wait([task])
    del task
    gc.collect()

    line = json.loads(capsys.readouterr().err)
    assert line["logger"] == "asyncio"
    assert line["error"] == "ValueError"
    assert PROMPT not in str(line)


def test_plain_lines() -> None:
    line = PlainFormatter().format(record("dependency failed\nmore", dependency="store"))

    assert line.endswith("warning dependency failed dependency=store")


@pytest.mark.parametrize(("level", "shown"), [("warning", 1), ("info", 2), ("debug", 3)])
def test_the_level(level: str, shown: int, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(level, "plain")
    log = logging.getLogger("cachemw.test")
    log.debug("1")
    log.info("2")
    log.warning("3")

    assert len(capsys.readouterr().err.splitlines()) == shown


@pytest.mark.parametrize("library", ["httpx", "httpcore", "uvicorn.access"])
def test_libraries_do_not_log_requests(library: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("debug", "json")
    logging.getLogger(library).info("POST /v1/chat/completions")

    assert capsys.readouterr().err == ""
