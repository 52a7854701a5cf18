"""How much a model's answer depends on each coordinate of the cache, by gradients. Own design.

For an error e in a cache the answer's distribution moves by KL = e' F e / 2 + ..., with F the
Fisher information of the cache: the mean outer product of d log p(y | cache) / d cache over answers
y drawn from the model itself. Per layer, keys and values apart, F is averaged over tokens into W,
[C, C]. This is the weight of attention and more: what attention does with a key, what later layers
do with what it brings, and how much the layer matters at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.hf import capture, differentiable_logits, restore
from cachemw_codecs.kv import LayerKV, by_token
from cachemw_codecs.transform.zones import BODY, SETTINGS, zones

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FEWEST_TOKENS = 64
"""Of a text."""
CONTINUATION = 256
"""Tokens of each text, at most a fifth, that are read as the continuation."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A layer's keys or values over one text; float32.

    `rows`: [tokens, C]. `gradients`: [tokens, C], of the summed log-likelihood of the continuation.
    """

    rows: NDArray[np.float32]
    gradients: NDArray[np.float32]


def observe(
    model: PreTrainedModel, ids: Tensor, generator: torch.Generator
) -> tuple[list[tuple[Observed, Observed]], int]:
    """Read a text, int64 [tokens]: by layer, keys and values; and the continuation's length.

    Raises `InvalidInput` for a text that is too short.
    """
    if ids.numel() < FEWEST_TOKENS:
        raise InvalidInput(f"text: {ids.numel()} tokens, at least {FEWEST_TOKENS} are needed")
    ahead = min(CONTINUATION, ids.numel() // 5)
    prefix, rest = ids[:-ahead], ids[-ahead:]
    captured = capture(model, prefix)
    leaves = [
        LayerKV(
            layer.keys.detach().clone().requires_grad_(True),
            layer.values.detach().clone().requires_grad_(True),
        )
        for layer in captured.layers
    ]
    with _frozen(model), torch.enable_grad():
        cache = restore(model, leaves, captured.positions)
        logs = torch.log_softmax(differentiable_logits(model, cache, rest), dim=-1)
        drawn = torch.multinomial(logs.detach().exp().cpu(), 1, generator=generator)
        total = logs.gather(-1, drawn.to(logs.device)).sum()
        parts = [part for leaf in leaves for part in (leaf.keys, leaf.values)]
        gradients = torch.autograd.grad(total, parts)
    seen = [
        Observed(_rows(part), _rows(gradient))
        for part, gradient in zip(parts, gradients, strict=True)
    ]
    return list(zip(seen[::2], seen[1::2], strict=True)), ahead


def energies(observed: Sequence[Sequence[Observed]]) -> NDArray[np.float64]:
    """Return float64 [SETTINGS]: how much more than the body's each setting's tokens matter.

    The geometric mean over layers, keys and values, of mean squared gradients; over all texts.
    Settings that no text has tokens of get 1.
    """
    logs = np.zeros(SETTINGS)
    for part in zip(*observed, strict=True):
        sums, counts = np.zeros(SETTINGS), np.zeros(SETTINGS)
        for text in part:
            squares = np.square(text.gradients.astype(np.float64)).mean(axis=1)
            for zone in zones(len(squares), ends_context=True):
                sums[zone.setting] += squares[zone.start : zone.stop].sum()
                counts[zone.setting] += zone.tokens
        means = np.where(counts > 0, sums / np.maximum(counts, 1), sums[BODY] / counts[BODY])
        logs += np.log(np.maximum(means, 1e-300) / max(means[BODY], 1e-300)) / len(observed[0])
    return np.exp(logs)


def metric(texts: Sequence[Observed], energy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return W [C, C]: the mean outer product of gradients, brought to a token of the body."""
    total: NDArray[np.float64] = np.zeros((texts[0].rows.shape[1],) * 2)
    count = 0
    for text in texts:
        for zone in zones(len(text.rows), ends_context=True):
            part = text.gradients[zone.start : zone.stop].astype(np.float64)
            total += part.T @ part / energy[zone.setting]
        count += len(text.rows)
    return total / count


def _rows(part: Tensor) -> NDArray[np.float32]:
    rows: NDArray[np.float32] = by_token(part.detach()).float().cpu().numpy()
    return rows


@contextmanager
def _frozen(model: PreTrainedModel) -> Iterator[None]:
    """No gradients for the weights meanwhile: they would take twice their memory."""
    wanted = [weight for weight in model.parameters() if weight.requires_grad]
    for weight in wanted:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in wanted:
            weight.requires_grad_(True)
