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
from cachemw_codecs.transform.blocks import BLOCK, forward
from cachemw_codecs.transform.zones import BODY, SETTINGS, by_block, zones

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CONTINUATION = 256
"""Tokens of each text, at most a fifth, that are read as the continuation."""
FEWEST_TOKENS = 480
"""Of a text: its prefix has a body between sinks and tail."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A layer's keys or values over one text; float32.

    `rows`: [tokens, C]. `gradients`: [tokens, C], of the summed log-likelihood of the continuation.
    """

    rows: NDArray[np.float32]
    gradients: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reading:
    """One text: its prefix's cache, and what the model expects behind it.

    `parts`: layer by layer, keys then values. `rest`: int64 [tokens] of the continuation.
    `expected`: log-probabilities [tokens, vocabulary], float32.
    """

    parts: tuple[Observed, ...]
    positions: Tensor
    rest: Tensor
    expected: Tensor


def observe(model: PreTrainedModel, ids: Tensor, generator: torch.Generator) -> Reading:
    """Read a text, int64 [tokens]. Raises `InvalidInput` for one that is too short."""
    if ids.numel() < FEWEST_TOKENS:
        raise InvalidInput(f"text: {ids.numel()} tokens, at least {FEWEST_TOKENS} are needed")
    ahead = min(CONTINUATION, ids.numel() // 5)
    rest = ids[-ahead:]
    captured = capture(model, ids[:-ahead])
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
    seen = tuple(
        Observed(_rows(part), _rows(gradient))
        for part, gradient in zip(parts, gradients, strict=True)
    )
    return Reading(seen, captured.positions, rest, logs.detach())


def energies(readings: Sequence[Reading]) -> NDArray[np.float64]:
    """Return float64 [SETTINGS]: how much more than the body's each setting's tokens matter.

    The geometric mean over layers, keys and values, of mean squared gradients; over all texts.
    Settings that no text has tokens of get 1.
    """
    logs = np.zeros(SETTINGS)
    parts = list(zip(*(reading.parts for reading in readings), strict=True))
    for part in parts:
        sums, counts = np.zeros(SETTINGS), np.zeros(SETTINGS)
        for text in part:
            squares = np.square(text.gradients.astype(np.float64)).mean(axis=1)
            for zone in zones(len(squares), begins_context=True, ends_context=True):
                sums[zone.setting] += squares[zone.start : zone.stop].sum()
                counts[zone.setting] += zone.tokens
        body = max(sums[BODY] / counts[BODY], 1e-300)
        means = np.where(counts > 0, sums / np.maximum(counts, 1), body)
        logs += np.log(np.maximum(means, 1e-300) / body) / len(parts)
    return np.exp(logs)


def gradient_blocks(texts: Sequence[Observed], energy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return all gradients by block and frequency, [blocks, 16, C].

    Brought to the size of those of the body: `energy`, see `energies`.
    """
    blocks = [
        forward(text.gradients[zone.start : zone.stop]) / np.sqrt(energy[zone.setting])
        for text in texts
        for zone in zones(len(text.gradients), begins_context=True, ends_context=True)
        if by_block(zone.setting)
    ]
    return np.concatenate(blocks).astype(np.float64)


def frequency_weights(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return float64 [16], mean 1: how much each frequency's errors cost. See `gradient_blocks`."""
    energy = np.square(blocks).mean(axis=(0, 2))
    mean = float(energy.mean())
    return energy / mean if mean > 0 else np.ones(BLOCK)


def metric(blocks: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return W [C, C]: the mean outer product of gradients, all frequencies brought to weight 1."""
    flat = (blocks / np.sqrt(np.maximum(weights, 1e-12))[:, None]).reshape(-1, blocks.shape[2])
    return np.asarray(flat.T @ flat / len(flat))


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
