"""OpenAI's response objects, built from deltas. Pure: ids and times are passed in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from cachemw.local.generate import Delta, ScoredToken
from cachemw.local.sampling import TokenLogprob

Json = dict[str, Any]
TokenText = Callable[[int], tuple[str, list[int] | None]]
"""A token's text and its UTF-8 bytes, None when it is no whole character."""


@dataclass(slots=True)
class Outcome:
    """What one choice has come to: the deltas so far, joined."""

    text: str = ""
    produced: int = 0
    scores: list[ScoredToken] = field(default_factory=list)
    finish_reason: str | None = None

    def add(self, delta: Delta) -> None:
        """Append one delta."""
        self.text += delta.text
        self.produced = delta.produced
        self.scores.extend(delta.scores)
        self.finish_reason = delta.finish_reason


def usage(prompt_tokens: int, completion_tokens: int) -> Json:
    """Return OpenAI's token counts."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


@dataclass(frozen=True, slots=True)
class Shape(ABC):
    """One response's constant fields, and the form of its choices.

    `created` is in Unix seconds. With `include_usage` every chunk has a `usage`, null in all but
    the last, as OpenAI sends it.
    """

    id: str
    created: int
    model: str
    include_usage: bool = False
    token_text: TokenText | None = None  # set when log-probabilities were asked for

    object: ClassVar[str]
    chunk_object: ClassVar[str]

    @abstractmethod
    def opening(self, index: int) -> Json | None:
        """Return the choice's first chunk, if it has one before any text."""

    @abstractmethod
    def pieces(self, index: int, delta: Delta) -> list[Json]:
        """Return the chunks for one delta: none while nothing can be shown yet."""

    @abstractmethod
    def choice(self, index: int, outcome: Outcome) -> Json:
        """Return one finished choice of a whole response."""

    def whole(self, outcomes: Sequence[Outcome], prompt_tokens: int) -> Json:
        """Return the response of a request that does not stream."""
        return {
            "id": self.id,
            "object": self.object,
            "created": self.created,
            "model": self.model,
            "choices": [self.choice(i, outcome) for i, outcome in enumerate(outcomes)],
            "usage": usage(prompt_tokens, sum(outcome.produced for outcome in outcomes)),
        }

    def chunk(self, choices: list[Json], counts: Json | None = None) -> Json:
        """Return one streamed chunk; `counts` and no choices make the usage chunk."""
        body: Json = {
            "id": self.id,
            "object": self.chunk_object,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }
        if self.include_usage:
            body["usage"] = counts
        return body

    def logprobs(self, scores: Sequence[ScoredToken]) -> Json | None:
        """Return the choice's `logprobs`, null when they were not asked for."""
        if self.token_text is None:
            return None
        text_of = self.token_text

        def entry(scored: TokenLogprob) -> Json:
            text, raw = text_of(scored.token)
            return {"token": text, "logprob": scored.logprob, "bytes": raw}

        content = [
            entry(score.chosen) | {"top_logprobs": [entry(other) for other in score.alternatives]}
            for score in scores
        ]
        return {"content": content, "refusal": None}


class ChatShape(Shape):
    """`chat.completion` and `chat.completion.chunk`."""

    __slots__ = ()
    object = "chat.completion"
    chunk_object = "chat.completion.chunk"

    def opening(self, index: int) -> Json:
        """Return the chunk that names the role."""
        return self._chunk(index, {"role": "assistant", "content": ""})

    def pieces(self, index: int, delta: Delta) -> list[Json]:
        """Return a chunk with the text, and one with the finish reason when it is the last."""
        chunks = []
        if delta.text:
            chunks.append(self._chunk(index, {"content": delta.text}, delta.scores))
        if delta.finish_reason is not None:
            chunks.append(self._chunk(index, {}, finish_reason=delta.finish_reason))
        return chunks

    def choice(self, index: int, outcome: Outcome) -> Json:
        """Return one finished choice, with its message."""
        return {
            "index": index,
            "message": {"role": "assistant", "content": outcome.text, "refusal": None},
            "logprobs": self.logprobs(outcome.scores),
            "finish_reason": outcome.finish_reason,
        }

    def _chunk(
        self,
        index: int,
        delta: Json,
        scores: Sequence[ScoredToken] = (),
        finish_reason: str | None = None,
    ) -> Json:
        choice = {
            "index": index,
            "delta": delta,
            "logprobs": self.logprobs(scores) if scores else None,
            "finish_reason": finish_reason,
        }
        return self.chunk([choice])


class CompletionShape(Shape):
    """`text_completion`, whole and streamed."""

    __slots__ = ()
    object = "text_completion"
    chunk_object = "text_completion"

    def opening(self, index: int) -> None:  # noqa: ARG002  a completion has no role to name
        """Return nothing: a completion starts with its text."""
        return

    def pieces(self, index: int, delta: Delta) -> list[Json]:
        """Return one chunk when there is text or an end to tell."""
        if not delta.text and delta.finish_reason is None:
            return []
        return [self.chunk([self._choice(index, delta.text, delta.finish_reason)])]

    def choice(self, index: int, outcome: Outcome) -> Json:
        """Return one finished choice, with its text."""
        return self._choice(index, outcome.text, outcome.finish_reason)

    @staticmethod
    def _choice(index: int, text: str, finish_reason: str | None) -> Json:
        return {"index": index, "text": text, "logprobs": None, "finish_reason": finish_reason}
