"""The audit log: a line for every operation, few for those that are not let in."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from cachemw.admin.audit import Audit, Caller
from tests.support.service import Clock

ME = Caller("abcd1234", "10.0.0.1")


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.INFO, logger="cachemw.audit")
    return lambda: [vars(record) for record in caplog.records]


def test_counts_and_outcome(said: Any) -> None:
    audit = Audit(Clock())
    with audit.operation(ME, "purge", {"filter": {"tenant": "t"}, "dry_run": True}) as counts:
        counts["matched"] = 3
    (line,) = said()
    assert (line["who"], line["client"], line["operation"]) == ("abcd1234", "10.0.0.1", "purge")
    assert (line["filter"], line["dry_run"], line["matched"]) == ({"tenant": "t"}, True, 3)
    assert line["outcome"] == "done"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ValueError("a prompt"), "failed"),
        (asyncio.CancelledError(), "broken off"),
        (GeneratorExit(), "broken off"),
        (KeyboardInterrupt(), "failed"),
    ],
)
def test_what_ended_it(said: Any, error: BaseException, outcome: str) -> None:
    with pytest.raises(type(error)), Audit(Clock()).operation(ME, "export", {}):
        raise error
    (line,) = said()
    assert line["outcome"] == outcome
    assert "prompt" not in str(line)


def test_refusals_are_few_and_say_how_many_there_were(said: Any) -> None:
    clock = Clock(0.0)
    audit = Audit(clock)
    for _ in range(1000):
        audit.refused("no token", "10.0.0.1", "GET /cache/stats")
    audit.refused("invalid_api_key", "10.0.0.2", "GET /cache/stats")
    clock.now = 10.0
    audit.refused("no token", "10.0.0.3", "GET /cache/stats")
    assert [(line["reason"], line["unlogged"]) for line in said()] == [
        ("no token", 0),
        ("invalid_api_key", 0),
        ("no token", 999),
    ]
