"""What all checks have in common: tasks of their own, a budget, a comparison, a label."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from cachemw_policies.answers import Outcome, Verdict
from cachemw_policies.labels import Label, Source

from cachemw.ask import Ask, Scored
from cachemw.endpoints.base import Endpoint, Json
from cachemw.shadow.budget import CheckBudget
from cachemw.states import DependencyState

Check = Callable[[], Awaitable[str]]


class Compares(Protocol):
    """Compares answers: compare.py."""

    async def compare(
        self, endpoint: Endpoint, question: str, stored: bytes, fresh: Json, *, judge: bool
    ) -> Verdict:
        """Compare a stored form with a plain answer."""


@dataclass(frozen=True, slots=True)
class Sinks:
    """Where labels go, and what is counted: a check's source and what became of it.

    That is an outcome of the comparison, `failed`, `cancelled`, or why there was none. `compared`
    hears of every comparison: its category, and whether it told anything.
    """

    label: Callable[[Label], None]
    count: Callable[[Source, str], None]
    compared: Callable[[str, bool], None]


class CheckRunner:
    """Runs checks of one source as tasks. Whatever fails there is counted and is no label."""

    def __init__(
        self,
        source: Source,
        comparer: Compares,
        budget: CheckBudget,
        sinks: Sinks,
        state: DependencyState,
        clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._comparer = comparer
        self._budget = budget
        self._sinks = sinks
        self._state = state
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def left(self) -> float:
        """How many checks the budget has room for just now; what the chance of one may rest on."""
        return self._budget.left

    def count(self, outcome: str) -> None:
        """Count what became of a check, or why there was none."""
        self._sinks.count(self._source, outcome)

    def failed(self, error: Exception) -> None:
        """Note a failure by its kind: a message may quote an answer."""
        self.count("failed")
        self._state.down(type(error).__name__)

    def start(self, check: Check) -> bool:
        """Run a check, which returns what is to be counted; False where there is no room for it."""
        if not self._budget.take():
            return False
        task = asyncio.create_task(self._run(check))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return True

    async def compared(self, ask: Ask, scored: Scored, fresh: Json, *, judge: bool) -> Outcome:
        """Compare the candidate's answer with a fresh one."""
        question = ask.endpoint.question(ask.params)
        text = "" if question is None else question.text
        body = scored.document.body
        verdict = await self._comparer.compare(ask.endpoint, text, body, fresh, judge=judge)
        return verdict.outcome

    def labelled(self, scored: Scored, outcome: Outcome) -> str:
        """Hand on a label where the outcome is one; returns what is to be counted."""
        self._sinks.compared(scored.category, outcome is not Outcome.UNSURE)
        if outcome is not Outcome.UNSURE:
            right = outcome is Outcome.SAME
            self._sinks.label(
                Label(
                    scored.category,
                    scored.score,
                    right,
                    self._source,
                    scored.scale,
                    self._clock(),
                    scored.weight,
                )
            )
        return outcome.value

    async def drain(self, seconds: float) -> int:
        """Wait for the checks under way; returns how many had to be cancelled."""
        if not self._tasks:
            return 0
        _, late = await asyncio.wait(self._tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)

    async def _run(self, check: Check) -> None:
        try:
            outcome = await check()
        except Exception as error:  # noqa: BLE001 - nobody is there to be told
            self.failed(error)
        else:
            self.count(outcome)
            self._state.up()

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Here and not in the task, which may be cancelled before its first step.
        self._tasks.discard(task)
        self._budget.end()
        if task.cancelled():
            self.count("cancelled")
