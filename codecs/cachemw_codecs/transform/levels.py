"""Which step each level has: the one at which the model's answers move by so much. Own design.

Measured, and not predicted from the sensitivities: the errors of coordinates that get no bits are
the coordinates themselves, and neither small nor independent, which predictions assume.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cachemw_codecs.codecs.base import LADDER
from cachemw_codecs.hf import continue_logits, restore
from cachemw_codecs.kv import LayerKV
from cachemw_codecs.transform.classes import STEPS_PER_OCTAVE
from cachemw_codecs.transform.coordinates import Place, analyse, synthesise
from cachemw_codecs.transform.quantise import dequantise, quantise
from cachemw_codecs.transform.sensitivity import Reading
from cachemw_codecs.transform.tables import TransformTables
from cachemw_codecs.transform.zones import zones

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TARGETS = (0.0003, 0.001, 0.002, 0.004, 0.008, 0.02, 0.06)
"""Of each level, finest first: mean divergence in nats a token of the continuation."""

_MOST_TRIALS = 16
_ANY_LEVEL = 0


def level_shifts(divergence: Callable[[int], float], start: int) -> NDArray[np.int32]:
    """Return int32 [levels], quarter octaves: where `divergence` of a shift reaches `TARGETS`.

    Tries octaves from `start` on until they enclose the targets or change nothing any more, and
    interpolates between them. Levels are a quarter octave apart at least.
    """
    tried = {start: divergence(start)}
    while max(tried.values()) < TARGETS[-1] and len(tried) < _MOST_TRIALS:
        tried[max(tried) + STEPS_PER_OCTAVE] = divergence(max(tried) + STEPS_PER_OCTAVE)
    while min(tried.values()) > TARGETS[0] and len(tried) < _MOST_TRIALS:
        tried[min(tried) - STEPS_PER_OCTAVE] = divergence(min(tried) - STEPS_PER_OCTAVE)
    at = np.array(sorted(tried), np.float64)
    # Noise at fine steps must not make a curve that falls.
    logs = np.maximum.accumulate(np.log([max(tried[int(shift)], 1e-9) for shift in at]))
    found = np.rint(np.interp(np.log(TARGETS), logs, at))
    apart = np.arange(len(LADDER))
    return np.asarray(np.maximum.accumulate(found - apart) + apart, np.int32)


def divergence_of(
    model: PreTrainedModel, readings: Sequence[Reading], tables: TransformTables, shift: int
) -> float:
    """Mean KL, in nats a token of the continuations, of reading behind caches coded at `shift`."""
    at_shift = replace(tables, level_shifts=np.full(len(LADDER), shift, np.int32))
    return float(np.mean([_divergence(model, reading, at_shift) for reading in readings]))


def _divergence(model: PreTrainedModel, reading: Reading, tables: TransformTables) -> float:
    parts = [
        _coded(tables, number, part.rows).to(model.dtype)
        for number, part in enumerate(reading.parts)
    ]
    layers = [LayerKV(*pair) for pair in zip(parts[::2], parts[1::2], strict=True)]
    cache = restore(model, layers, reading.positions)
    logs = torch.log_softmax(continue_logits(model, cache, reading.rest), dim=-1)
    expected = reading.expected
    return float((expected.exp() * (expected - logs)).sum(dim=-1).mean())


def _coded(tables: TransformTables, number: int, rows: NDArray[np.float32]) -> Tensor:
    """Quantise and undo it, without the coder: [kv_heads, tokens, head_dim]."""
    back = np.empty_like(rows)
    everything = np.broadcast_to(np.arange(256) > 0, (tables.channels, 256))
    for zone in zones(len(rows), ends_context=True):
        place = Place(number // 2, number % 2, _ANY_LEVEL, zone.setting)
        y = analyse(tables, place, rows[zone.start : zone.stop])
        classes = tables.classes(place.layer, place.kind, place.level, place.setting)
        for frequency in range(y.shape[1]):
            coded = quantise(np.ascontiguousarray(y[:, frequency]), everything)
            offsets = tables.offsets[classes[frequency]]
            y[:, frequency] = dequantise(coded.symbols, coded.places, coded.values, offsets)
        back[zone.start : zone.stop] = synthesise(tables, place, y)
    split = back.reshape(len(rows), tables.kv_heads, -1).transpose(1, 0, 2)
    return torch.from_numpy(np.ascontiguousarray(split))
