"""Training of the cross-encoder, and its scores.

Sources: cross-encoders as in Sentence-BERT's comparison (arXiv 1908.10084); R-Drop (arXiv
2106.14448) keeps two passes with different dropout alike; a student learns from the averaged scores
of teachers that have not seen the pair (own design: the labels are noisy).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR

from loadtests.verifier.data import Data, batches
from loadtests.verifier.model import CrossEncoder, groups

Scores = NDArray[np.float32]
_SCORED = 512  # pairs at once


@dataclass(frozen=True)
class Recipe:
    """How to train.

    edits: weight of rows that are not real pairs. soft: weight of the teachers' scores beside the
    label. rdrop: weight of the distance of two passes. lora: rank of the updates, 0 for whole
    matrices. folds, fold: leave that one of so many out. average: decay of the mean of the weights
    over the last 60 % of steps, 0 for none.
    """

    lr: float = 1e-4
    epochs: int = 4
    batch: int = 64
    warmup: float = 0.06
    decay: float = 0.01
    dropout: float = 0.1
    edits: float = 1.0
    rdrop: float = 0.0
    layer_decay: float = 1.0
    lora: int = 0
    soft: float = 0.0
    seed: int = 0
    folds: int = 0
    fold: int = 0
    average: float = 0.0


class Mean:
    """The exponential mean of a model's weights (Polyak and Juditsky 1992)."""

    def __init__(self, model: nn.Module, keep: float) -> None:
        self._model, self._keep = model, keep
        self._mean: dict[str, Tensor] | None = None

    def add(self) -> None:
        """Take in the weights as they are now."""
        with torch.no_grad():
            state = self._model.state_dict()
            if self._mean is None:
                self._mean = {name: value.clone() for name, value in state.items()}
                return
            for name, value in state.items():
                if value.dtype.is_floating_point:
                    self._mean[name].lerp_(value, 1 - self._keep)

    def put_back(self) -> None:
        """Give the model the mean, if anything was taken in."""
        if self._mean is not None:
            self._model.load_state_dict(self._mean)


def loss_of(
    model: CrossEncoder, inputs: Sequence[Tensor], goal: Tensor, weight: Tensor, rdrop: float
) -> Tensor:
    """Return the loss of a batch; `goal` and `weight` are [batch]."""
    with torch.autocast(goal.device.type, dtype=torch.bfloat16):
        if not rdrop:
            logits = model(*inputs).float()
            return functional.binary_cross_entropy_with_logits(logits, goal, weight)
        twice = model(*(torch.cat([each, each]) for each in inputs)).float()
    one, other = twice.chunk(2)
    # The symmetric Kullback-Leibler divergence of two Bernoulli variables.
    gap = (torch.sigmoid(one) - torch.sigmoid(other)) * (one - other)
    both = functional.binary_cross_entropy_with_logits(twice, goal.repeat(2), weight.repeat(2))
    loss: Tensor = both + rdrop * gap.mean() / 2
    return loss


def train(
    model: CrossEncoder, data: Data, positions: Sequence[int], soft: Scores, recipe: Recipe
) -> None:
    """Train in place on `positions`; `soft` has the teachers' probabilities of all rows."""
    rng = Random(recipe.seed)
    torch.manual_seed(recipe.seed)
    steps = recipe.epochs * math.ceil(len(positions) / recipe.batch)
    layers = groups(model, recipe.lr, recipe.layer_decay, recipe.decay)
    optimizer = torch.optim.AdamW(layers, fused=True)
    schedule = LambdaLR(optimizer, lambda step: _rate(step, steps, recipe.warmup))
    mean, step = Mean(model, recipe.average), 0
    goals = recipe.soft * soft + (1 - recipe.soft) * data.same
    weights = np.where(data.real, 1.0, recipe.edits)
    model.train()
    for _ in range(recipe.epochs):
        for chunk in batches(data, positions, recipe.batch, rng):
            inputs = data.batch(chunk, [rng.random() < 0.5 for _ in chunk])
            goal, weight = (_tensor(each[chunk], data.device) for each in (goals, weights))
            loss = loss_of(model, inputs, goal, weight, recipe.rdrop)
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            if recipe.average and step > steps * 0.4:
                mean.add()
    mean.put_back()


def _rate(step: int, steps: int, warmup: float) -> float:
    """Return the share of the learning rate: up in a line, down in a line."""
    rise = max(1, int(warmup * steps))
    return step / rise if step < rise else max(0.0, (steps - step) / max(1, steps - rise))


def _tensor(values: NDArray[Any], device: str) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(device)


def scores(model: CrossEncoder, data: Data, positions: Sequence[int], *, flip: bool) -> Scores:
    """Return probabilities by position in `positions`; `flip` reads the second question first."""
    model.eval()
    found = np.zeros(len(positions), dtype=np.float32)
    order = sorted(range(len(positions)), key=lambda place: data.length(positions[place]))
    for start in range(0, len(order), _SCORED):
        chunk = order[start : start + _SCORED]
        inputs = data.batch([positions[place] for place in chunk], [flip] * len(chunk))
        with torch.no_grad(), torch.autocast(data.device, dtype=torch.bfloat16):
            logits = model(*inputs).float()
        found[chunk] = torch.sigmoid(logits).cpu().numpy()
    return found


def soft_labels(teachers: Sequence[tuple[NDArray[np.int64], Scores]], own: Scores) -> Scores:
    """Return the mean of what teachers say of each row, its own label where none says anything.

    A teacher is positions and its scores of them; `own` has all rows.
    """
    total, count = np.zeros(len(own)), np.zeros(len(own))
    for positions, said in teachers:
        total[positions] += said
        count[positions] += 1
    return np.where(count > 0, total / np.maximum(count, 1), own).astype(np.float32)
