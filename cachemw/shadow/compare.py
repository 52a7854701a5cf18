"""Compares a stored answer with a fresh one: by what they come to, else by a judge."""

from __future__ import annotations

from typing import Protocol

import orjson
from cachemw_policies.answers import AnswerSettings, Outcome, Verdict, compare, one_text

from cachemw.endpoints.base import Endpoint, Json
from cachemw.shadow.texts import Said, said


class Judges(Protocol):
    """Says whether two answers serve alike."""

    async def same(self, question: str, one: str, other: str) -> bool | None:
        """Return its word, None where it has none."""


class Comparer:
    """Says whether a stored answer would have served as well as a fresh one.

    Without a judge only answers that come to something definite get a verdict. With one all do,
    and equal texts without asking it.
    """

    def __init__(self, settings: AnswerSettings | None = None, judge: Judges | None = None) -> None:
        self._settings = settings or AnswerSettings()
        self._judge = judge

    async def compare(
        self, endpoint: Endpoint, question: str, stored: bytes, fresh: Json, *, judge: bool
    ) -> Verdict:
        """Compare a stored form with a plain answer of the same endpoint.

        `judge`: whether the judge, if there is one, may be asked for what is unsure.
        """
        answer = orjson.loads(stored)
        if not (_whole(endpoint, answer) and _whole(endpoint, fresh)):
            return Verdict(Outcome.UNSURE, "incomplete")
        one, other = said(endpoint.name, answer), said(endpoint.name, fresh)
        if one is None or other is None:
            return Verdict(Outcome.UNSURE, "no text")
        verdict = self._read(one, other)
        if verdict.outcome is Outcome.UNSURE and judge and self._judge is not None:
            return await _judged(self._judge, question, one, other)
        return verdict

    def _read(self, one: Said, other: Said) -> Verdict:
        if one.refuses or other.refuses:
            return Verdict(Outcome.UNSURE, "refusal")
        return compare(one.text, other.text, self._settings)


async def _judged(judge: Judges, question: str, one: Said, other: Said) -> Verdict:
    if one_text(one.text, other.text):
        return Verdict(Outcome.SAME, "equal")
    same = await judge.same(question, one.text, other.text)
    if same is None:
        return Verdict(Outcome.UNSURE, "no judgement")
    return Verdict(Outcome.SAME if same else Outcome.DIFFERENT, "judge")


def _whole(endpoint: Endpoint, answer: Json) -> bool:
    """Whether an answer is one: what was cut off says nothing of how it would have ended."""
    verdict = endpoint.verdict(answer)
    return verdict.complete and not verdict.truncated and not verdict.blocked
