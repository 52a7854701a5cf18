"""A model and some text to the calibration file of `transform`. Own design.

Minutes on a CPU for a small model: each text is read once forward and its last part backward. A
dozen texts of a thousand tokens do; what they are about matters little, their length should be that
of the contexts to be compressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cachemw_codecs.codecs.base import LADDER
from cachemw_codecs.errors import InvalidInput
from cachemw_codecs.transform import classes, fitting
from cachemw_codecs.transform.basis import synthesis
from cachemw_codecs.transform.sensitivity import Observed, energies, metric, observe
from cachemw_codecs.transform.tables import TransformTables

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_SAMPLE = 2048
"""Tokens of each layer's sample that tables and steps are fitted to."""
_BESIDE_SINKS = 4


def calibrate(model: PreTrainedModel, texts: Sequence[Tensor], seed: int = 0) -> bytes:
    """Return the calibration file. `texts`: int64 [tokens] each, within the model's context.

    Raises `InvalidInput` for texts too short or too few, or a model that `capture` refuses. Keeps
    the KV and gradients of all texts in memory: 8 bytes a value.
    """
    if not texts:
        raise InvalidInput("texts: none to calibrate with")
    generator = torch.Generator().manual_seed(seed)
    read = [observe(model, ids, generator) for ids in texts]
    by_layer = list(zip(*(layers for layers, _ in read), strict=True))
    parts = [[layer[kind] for layer in text] for text in by_layer for kind in (0, 1)]
    continuation = sum(ahead for _, ahead in read) / len(read)
    prefix = sum(len(text.rows) for text in parts[0]) / len(read)
    heads = _kv_heads(model)
    return fit(parts, prefix / continuation, heads).save()


def fit(parts: Sequence[Sequence[Observed]], ratio: float, kv_heads: int) -> TransformTables:
    """Fit everything. `parts`: layer by layer, keys then values, each over all texts.

    `ratio`: tokens of prefix for each of continuation.
    """
    energy = energies([list(text) for text in zip(*parts, strict=True)])
    bases, means, samples = [], [], []
    for part in parts:
        rows = np.concatenate([text.rows[_BESIDE_SINKS:] for text in part]).astype(np.float64)
        mean = rows.mean(axis=0)
        basis = synthesis(np.cov(rows, rowvar=False, bias=True), metric(part, energy))
        means.append((mean, np.mean([text.rows[0] for text in part], axis=0)))
        bases.append(basis)
        samples.append(_coordinates(rows - mean, basis))
    shifts = fitting.step_shifts(samples, ratio)
    medium = int(shifts[LADDER.index("medium")])
    unit = float(np.exp2(medium / classes.STEPS_PER_OCTAVE))
    fitted = [fitting.shapes_and_deviations(sample / np.float32(unit)) for sample in samples]

    def stacked(of_parts: list[NDArray[np.generic]]) -> NDArray[np.generic]:
        return np.stack(of_parts).reshape(len(parts) // 2, 2, *of_parts[0].shape)

    return TransformTables(
        synthesis=stacked([unit * basis for basis in bases]).astype(np.float16),
        means=np.stack([stacked([pair[i] for pair in means]) for i in (0, 1)]).astype(np.float32),
        scales=stacked([fitting.scales_of(deviation) for _, deviation in fitted]).astype(np.int16),
        shapes=stacked([shape for shape, _ in fitted]).astype(np.uint8),
        frequencies=classes.tables(),
        offsets=classes.offsets(),
        level_shifts=(shifts - medium).astype(np.int32),
        zone_shifts=fitting.zone_shifts(energy),
        kv_heads=kv_heads,
    )


def _coordinates(centred: NDArray[np.float64], basis: NDArray[np.float64]) -> fitting.Rows:
    """Bring a sample of the tokens, evenly spread, into the basis: float32 [tokens, C]."""
    every = max(1, len(centred) // _SAMPLE)
    return np.linalg.solve(basis.T, centred[::every].T).T.astype(np.float32)


def _kv_heads(model: PreTrainedModel) -> int:
    config = model.config.get_text_config(decoder=True)
    return int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
