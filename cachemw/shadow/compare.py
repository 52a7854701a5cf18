"""Compares a stored answer with a fresh one: what they say, then their embeddings, then a judge."""

from __future__ import annotations

from typing import Protocol

import orjson
from cachemw_policies.answers import (
    AnswerSettings,
    Outcome,
    Verdict,
    compare,
    parts_to_embed,
    similarity_of,
)

from cachemw.endpoints.base import Endpoint, Json
from cachemw.errors import EmbedderUnavailable
from cachemw.shadow.texts import Said, said
from cachemw.stores.base import Vector

# About what the default embedder reads of a text (256 tokens).
PART_CHARS = 800


class Embeds(Protocol):
    """Makes vectors of texts: the batcher of the embedder."""

    async def embed(self, text: str) -> Vector:
        """Return the L2-normalised vector of a text. Raises EmbedderUnavailable."""


class Judges(Protocol):
    """Says whether two answers serve alike."""

    async def same(self, question: str, one: str, other: str) -> bool | None:
        """Return its word, None where it has none."""


class Comparer:
    """Says whether a stored answer would have served as well as a fresh one.

    The cheapest way that settles it is taken. Until an embedder is attached, or when it fails,
    there is no similarity, and more stays unsure.
    """

    def __init__(self, settings: AnswerSettings | None = None, judge: Judges | None = None) -> None:
        self._settings = settings or AnswerSettings()
        self._judge = judge
        self._embedder: Embeds | None = None

    def attach(self, embedder: Embeds) -> None:
        """Use the embedder from now on."""
        self._embedder = embedder

    async def compare(
        self, endpoint: Endpoint, question: str, stored: bytes, fresh: Json, *, judge: bool
    ) -> Verdict:
        """Compare a stored form with a plain answer of the same endpoint.

        `judge`: whether the judge, if there is one, may be asked for what is unsure.
        """
        answer = orjson.loads(stored)
        if not isinstance(answer, dict) or not (
            _whole(endpoint, answer) and _whole(endpoint, fresh)
        ):
            return Verdict(Outcome.UNSURE, "incomplete")
        one, other = said(endpoint.name, answer), said(endpoint.name, fresh)
        if one is None or other is None:
            return Verdict(Outcome.UNSURE, "no text")
        verdict = await self._read(one, other)
        if verdict.outcome is Outcome.UNSURE and judge and self._judge is not None:
            return await self._judged(self._judge, question, one, other)
        return verdict

    async def _read(self, one: Said, other: Said) -> Verdict:
        if one.refuses is not other.refuses:
            return Verdict(Outcome.DIFFERENT, "refusal")
        if one.refuses:
            return Verdict(Outcome.UNSURE, "both refuse")
        # What two texts say is not undone by their embeddings: most pairs need none.
        verdict = compare(one.text, other.text, None, self._settings)
        if verdict.outcome is not Outcome.UNSURE:
            return verdict
        similarity = await self._similarity(one.text, other.text)
        if similarity is None:
            return verdict
        return compare(one.text, other.text, similarity, self._settings)

    async def _similarity(self, one: str, other: str) -> float | None:
        if self._embedder is None:
            return None
        cosines = []
        try:
            for here, there in zip(
                parts_to_embed(one, PART_CHARS), parts_to_embed(other, PART_CHARS), strict=True
            ):
                a, b = await self._embedder.embed(here), await self._embedder.embed(there)
                cosines.append(float(a @ b))
        except EmbedderUnavailable:
            return None
        return similarity_of(cosines)

    async def _judged(self, judge: Judges, question: str, one: Said, other: Said) -> Verdict:
        same = await judge.same(question, one.text, other.text)
        if same is None:
            return Verdict(Outcome.UNSURE, "no judgement")
        return Verdict(Outcome.SAME if same else Outcome.DIFFERENT, "judge")


def _whole(endpoint: Endpoint, answer: Json) -> bool:
    """Whether an answer is one: what was cut off says nothing of how it would have ended."""
    verdict = endpoint.verdict(answer)
    return verdict.complete and not verdict.truncated and not verdict.blocked
