"""From next-token logits to a token: penalties, temperature, top-k, top-p, a seeded draw.

Knows nothing of models or text. Logits are always one row, shape `[vocab]`, float32.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """OpenAI's sampling fields, plus `top_k`.

    `temperature` 0 means greedy; `top_k` 0 means no limit; a penalty of 0 is none.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token with its natural-log probability under the untouched model distribution."""

    token: int
    logprob: float


def penalised(logits: Tensor, counts: Counter[int], params: SamplingParams) -> Tensor:
    """Lower the logits of tokens already generated; `counts` says how often each was.

    Returns `logits` itself when there is nothing to do, else a new tensor.
    """
    if not counts or (params.presence_penalty == 0.0 and params.frequency_penalty == 0.0):
        return logits
    ids = torch.tensor(list(counts.keys()))
    times = torch.tensor(list(counts.values()), dtype=logits.dtype)
    return logits.index_add(0, ids, -(params.presence_penalty + params.frequency_penalty * times))


def probabilities(logits: Tensor, params: SamplingParams) -> Tensor:
    """Return the distribution to draw from, shape `[vocab]`, summing to 1.

    Top-k is applied before top-p; top-p keeps the smallest set of most likely tokens whose mass
    reaches `top_p`, so at least one token always survives. Penalties are not applied here.
    """
    if params.temperature == 0.0:
        greedy = torch.zeros_like(logits)
        greedy[int(logits.argmax())] = 1.0
        return greedy
    # The maximum is taken off first so that a tiny temperature cannot overflow to inf - inf.
    # Rounding up to the smallest normal float keeps a denormal temperature from dividing 0 by 0.
    temperature = max(params.temperature, torch.finfo(logits.dtype).tiny)
    scaled = (logits - logits.max()) / temperature
    if 0 < params.top_k < scaled.numel():
        kept = scaled.topk(params.top_k)
        scaled = torch.full_like(scaled, -torch.inf).scatter(0, kept.indices, kept.values)
    probs = torch.softmax(scaled, dim=0)
    return _nucleus(probs, params.top_p) if params.top_p < 1.0 else probs


def _nucleus(probs: Tensor, top_p: float) -> Tensor:
    ordered, indices = probs.sort(descending=True, stable=True)
    mass_before = ordered.cumsum(dim=0) - ordered
    mass_before[0] = -1.0  # the most likely token stays, also when top_p is 0
    kept = torch.where(mass_before < top_p, ordered, 0.0)
    return torch.zeros_like(probs).scatter(0, indices, kept / kept.sum())


class Sampler:
    """Draws the tokens of one sequence. The same `seed` and logits give the same tokens."""

    def __init__(self, params: SamplingParams, seed: int) -> None:
        self._params = params
        self._generator = torch.Generator().manual_seed(seed)
        self._counts: Counter[int] = Counter()

    def next(self, logits: Tensor) -> int:
        """Draw one token and remember it for the penalties. Does not modify `logits`."""
        adjusted = penalised(logits, self._counts, self._params)
        if self._params.temperature == 0.0:
            token = int(adjusted.argmax())
        else:
            probs = probabilities(adjusted, self._params)
            token = int(torch.multinomial(probs, 1, generator=self._generator))
        self._counts[token] += 1
        return token


def top_logprobs(
    logits: Tensor, token: int, top: int
) -> tuple[TokenLogprob, tuple[TokenLogprob, ...]]:
    """Return the log-probability of `token`, and the `top` most likely tokens, best first."""
    logprobs = torch.log_softmax(logits, dim=0)
    best = logprobs.topk(min(top, logprobs.numel()))
    alternatives = tuple(
        TokenLogprob(int(index), float(value))
        for value, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    )
    return TokenLogprob(token, float(logprobs[token])), alternatives
