"""Comparing stored forms: the cheapest way that settles it, and nothing for half an answer."""

from __future__ import annotations

from typing import Any

import pytest
from cachemw_policies.answers import Outcome, Verdict

from cachemw.errors import EmbedderUnavailable
from cachemw.shadow.compare import PART_CHARS, Comparer
from cachemw.stores.base import Vector
from tests.support.checks import CHAT
from tests.support.service import plain_of, unit

A = "The old lighthouse stands on a rock near the southern end of the island."
B = "The old lighthouse stands on a rock close to the southern end of the island."


class FakeEmbedder:
    """All texts are one vector, or there is none."""

    def __init__(self, *, fails: bool = False) -> None:
        self.texts: list[str] = []
        self._fails = fails

    async def embed(self, text: str) -> Vector:
        self.texts.append(text)
        if self._fails:
            raise EmbedderUnavailable("busy")
        return unit("one")


class FakeJudge:
    def __init__(self, word: bool | None) -> None:
        self.word = word
        self.asked: list[tuple[str, str, str]] = []

    async def same(self, question: str, one: str, other: str) -> bool | None:
        self.asked.append((question, one, other))
        return self.word


async def _compare(comparer: Comparer, stored: Any, fresh: Any, *, judge: bool = True) -> Verdict:
    return await comparer.compare(CHAT, "why?", CHAT.pack(stored), fresh, judge=judge)


async def test_what_is_said_needs_no_embedding() -> None:
    comparer, embedder = Comparer(), FakeEmbedder()
    comparer.attach(embedder)
    assert (await _compare(comparer, plain_of("4"), plain_of("2 + 2 = 4"))).outcome is Outcome.SAME
    assert (
        await _compare(comparer, plain_of("Yes."), plain_of("No."))
    ).outcome is Outcome.DIFFERENT
    assert embedder.texts == []


async def test_prose_is_embedded_by_its_beginning_and_end() -> None:
    comparer, embedder = Comparer(), FakeEmbedder()
    comparer.attach(embedder)
    assert await _compare(comparer, plain_of(A), plain_of(B)) == Verdict(Outcome.SAME, "similarity")
    assert set(embedder.texts) == {A, B}
    long = "x " * PART_CHARS + "end"
    await _compare(comparer, plain_of(long), plain_of(B))
    assert {len(text) for text in embedder.texts if text not in (A, B)} == {PART_CHARS}


@pytest.mark.parametrize("embedder", [None, FakeEmbedder(fails=True)])
async def test_without_an_embedder_prose_is_unsure(embedder: FakeEmbedder | None) -> None:
    comparer = Comparer()
    if embedder is not None:
        comparer.attach(embedder)
    assert (await _compare(comparer, plain_of(A), plain_of(B))).outcome is Outcome.UNSURE


@pytest.mark.parametrize(
    ("word", "outcome"),
    [(True, Outcome.SAME), (False, Outcome.DIFFERENT), (None, Outcome.UNSURE)],
)
async def test_the_judge_is_asked_for_what_is_unsure(word: bool | None, outcome: Outcome) -> None:
    judge = FakeJudge(word)
    comparer = Comparer(judge=judge)
    assert (await _compare(comparer, plain_of(A), plain_of(B))).outcome is outcome
    assert judge.asked == [("why?", A, B)]
    await _compare(comparer, plain_of(A), plain_of(B), judge=False)
    await _compare(comparer, plain_of("4"), plain_of("5"))
    assert len(judge.asked) == 1


async def test_half_an_answer_is_not_compared() -> None:
    cut = plain_of("The answer is 4")
    cut["choices"][0]["finish_reason"] = "length"
    judge = FakeJudge(True)
    comparer = Comparer(judge=judge)
    for pair in ((cut, plain_of("5")), (plain_of("5"), cut), ({"error": "no"}, plain_of("5"))):
        assert await _compare(comparer, *pair) == Verdict(Outcome.UNSURE, "incomplete")
    assert judge.asked == []


async def test_refusals_that_the_api_marks() -> None:
    refused = plain_of("")
    refused["choices"][0]["message"] |= {"content": None, "refusal": "Not that."}
    comparer = Comparer(judge=FakeJudge(True))
    assert (await _compare(comparer, refused, plain_of("Do this."))).outcome is Outcome.DIFFERENT
    unlike = await _compare(comparer, refused, refused, judge=False)
    assert unlike.outcome is Outcome.UNSURE


async def test_an_answer_without_text_is_not_compared() -> None:
    called = plain_of("")
    called["choices"][0]["message"] |= {"content": None, "tool_calls": [{"id": "1"}]}
    assert await _compare(Comparer(), called, called) == Verdict(Outcome.UNSURE, "no text")
