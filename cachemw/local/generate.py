"""One generation, step by step: the only place where model, sampling, text and stops meet.

    prompt -> TokenSequence.feed -> Sampler.next -> Detokeniser.push -> StopMatcher.push -> Delta

`generate` is an ordinary generator, so whoever drives it decides when the next token is computed,
and drops a generation by no longer asking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

from cachemw.local.detokenise import Detokeniser
from cachemw.local.sampling import Sampler, SamplingParams, TokenLogprob, top_logprobs
from cachemw.local.stopping import StopMatcher

FinishReason = Literal["stop", "length"]


class TokenSequence(Protocol):
    """The tokens a model has seen so far, and whatever it keeps about them (its KV cache)."""

    def feed(self, tokens: Sequence[int]) -> Tensor:
        """Append one or more tokens; return the logits after the last, `[vocab]` float32."""
        ...


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What to generate, in tokens: the HTTP forms are translated into this.

    `top_logprobs` is None for no log-probabilities at all, 0 for those of the tokens alone.
    `prompt` has at least one token; it and `max_tokens` (>= 1) fit the context together.
    """

    prompt: tuple[int, ...]
    max_tokens: int
    sampling: SamplingParams
    seed: int
    stop: tuple[str, ...] = ()
    top_logprobs: int | None = None


@dataclass(frozen=True, slots=True)
class ScoredToken:
    """A generated token's log-probability and those of its best alternatives."""

    chosen: TokenLogprob
    alternatives: tuple[TokenLogprob, ...]


@dataclass(frozen=True, slots=True)
class Delta:
    """What one step added. `text` may be empty while a character or a stop string is open.

    `produced` counts the tokens sampled so far, the end-of-sequence token among them. `scores`
    are those of the tokens behind `text`. Only the last delta has a `finish_reason`.
    """

    text: str
    produced: int
    scores: tuple[ScoredToken, ...] = ()
    finish_reason: FinishReason | None = None


class _Text:
    """Tokens in, text fit for the client out, with the scores of the tokens behind it."""

    def __init__(self, decode: Callable[[Sequence[int]], str], stop: Sequence[str]) -> None:
        self._detokeniser = Detokeniser(decode)
        self._stops = StopMatcher(stop)
        self._scores: list[ScoredToken] = []

    @property
    def stopped(self) -> bool:
        return self._stops.stopped

    def push(self, token: int, score: ScoredToken | None) -> tuple[str, tuple[ScoredToken, ...]]:
        if score is not None:
            self._scores.append(score)
        return self._with_scores(self._stops.push(self._detokeniser.push(token)))

    def flush(self) -> tuple[str, tuple[ScoredToken, ...]]:
        text = self._stops.push(self._detokeniser.flush()) + self._stops.flush()
        return self._with_scores(text)

    def _with_scores(self, text: str) -> tuple[str, tuple[ScoredToken, ...]]:
        if not text:
            return "", ()
        scores, self._scores = tuple(self._scores), []
        return text, scores


def generate(
    sequence: TokenSequence,
    request: GenerationRequest,
    *,
    decode: Callable[[Sequence[int]], str],
    end_tokens: frozenset[int],
) -> Iterator[Delta]:
    """Yield one `Delta` for each token; the last one, and only it, has a finish reason.

    `sequence` must be fresh; it is fed the prompt, then every generated token but the last.
    `end_tokens` end the text with reason `stop` and are not decoded.
    """
    sampler = Sampler(request.sampling, request.seed)
    output = _Text(decode, request.stop)
    logits = sequence.feed(request.prompt)
    for produced in range(1, request.max_tokens + 1):
        token = sampler.next(logits)
        ended = token in end_tokens
        text, scores = (
            ("", ()) if ended else output.push(token, _score(logits, token, request.top_logprobs))
        )
        if ended or output.stopped or produced == request.max_tokens:
            rest, rest_scores = output.flush()
            reason: FinishReason = "stop" if ended or output.stopped else "length"
            yield Delta(text + rest, produced, scores + rest_scores, reason)
            return
        yield Delta(text, produced, scores)
        logits = sequence.feed((token,))


def _score(logits: Tensor, token: int, top: int | None) -> ScoredToken | None:
    return None if top is None else ScoredToken(*top_logprobs(logits, token, top))
