"""Checks as tasks: labels, bounds, failures, the end."""

from __future__ import annotations

import asyncio

import pytest
from cachemw_policies.answers import Outcome
from cachemw_policies.labels import Label, Source

from tests.support.checks import FixedComparer, Noted, ask_for, scored
from tests.support.service import plain_of


async def _said(word: str) -> str:
    return word


@pytest.mark.parametrize(
    ("outcome", "labels"),
    [(Outcome.SAME, [True]), (Outcome.DIFFERENT, [False]), (Outcome.UNSURE, [])],
)
async def test_only_what_is_sure_is_a_label(outcome: Outcome, labels: list[bool]) -> None:
    noted = Noted(source=Source.MISS)
    assert noted.runner.labelled(scored("a", 0.91), outcome) == outcome.value
    expected = [Label("facts", 0.91, right, Source.MISS, "scale-1", 5000.0) for right in labels]
    assert noted.labels == expected
    assert noted.told == [("facts", bool(labels))]


async def test_the_comparer_gets_the_question() -> None:
    noted = Noted()
    ask = await ask_for("how high is it?")
    outcome = await noted.runner.compared(ask, scored("a"), plain_of("b"), judge=True)
    assert outcome is Outcome.SAME
    assert (noted.comparer.questions, noted.comparer.judged) == (["how high is it?"], [True])


async def test_what_became_of_a_check_is_counted() -> None:
    noted = Noted()
    assert noted.runner.start(lambda: _said("same"))
    assert len(noted.runner) == 1
    assert await noted.runner.drain(5.0) == 0
    assert (noted.counts, len(noted.runner)) == (["same"], 0)


async def test_past_the_budget_nothing_is_started() -> None:
    noted = Noted(in_flight=1)
    gate = asyncio.Event()

    async def waits() -> str:
        await gate.wait()
        return "same"

    assert noted.runner.start(waits)
    assert not noted.runner.start(waits)
    gate.set()
    await noted.runner.drain(5.0)
    assert noted.runner.start(waits)
    await noted.runner.drain(5.0)
    assert noted.counts == ["same", "same"]


async def test_a_failure_is_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    noted = Noted(comparer=FixedComparer())

    async def fails() -> str:
        raise ValueError("the answer was 42")

    for _ in range(3):
        noted.runner.start(fails)
    await noted.runner.drain(5.0)
    assert noted.counts == ["failed"] * 3
    assert [record.getMessage() for record in caplog.records] == ["dependency failed"]
    assert "42" not in caplog.text
    noted.runner.start(lambda: _said("same"))
    await noted.runner.drain(5.0)
    assert noted.changes == [False, True]


@pytest.mark.parametrize("begun", [False, True])
async def test_what_is_late_at_the_end_is_cancelled(begun: bool) -> None:
    noted = Noted(in_flight=1)

    async def waits() -> str:
        await asyncio.Event().wait()
        return "never"

    noted.runner.start(waits)
    if begun:
        await asyncio.sleep(0)
    assert await noted.runner.drain(0.0) == 1
    await asyncio.sleep(0)
    assert (noted.counts, len(noted.runner)) == (["cancelled"], 0)
    assert noted.runner.start(lambda: _said("same"))  # its room was given back
    await noted.runner.drain(5.0)


async def test_nothing_to_drain() -> None:
    assert await Noted().runner.drain(5.0) == 0
