"""Which step each level has: the one at which the model's answers move by so much. Own design.

Measured, and not predicted from the sensitivities: the errors of coordinates that get no bits are
the coordinates themselves, and neither small nor independent, which predictions assume.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cachemw_codecs.codecs.base import LADDER
from cachemw_codecs.hf import continue_logits, restore
from cachemw_codecs.kv import LayerKV
from cachemw_codecs.transform.classes import SCALES, SHAPES, STEPS_PER_OCTAVE
from cachemw_codecs.transform.coordinates import Place, Rows, analyse, synthesise
from cachemw_codecs.transform.quantise import nearest
from cachemw_codecs.transform.sensitivity import Reading
from cachemw_codecs.transform.tables import TransformTables
from cachemw_codecs.transform.zones import zones

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TARGETS = (0.0001, 0.0004, 0.001, 0.002, 0.004, 0.01, 0.03)
"""Of each level, finest first: mean divergence in nats a token of the continuation."""

_MOST_TRIALS = 16
_NO_GAIN = 0.55
"""Half the step brings a quarter of the divergence, until what is left is the rounding to the
model's dtype: finer steps would then cost bits for nothing."""
_ANY_LEVEL = 0


def level_shifts(
    divergence: Callable[[int], float], start: int, finest: int = -(2**10)
) -> NDArray[np.int32]:
    """Return int32 [levels], quarter octaves: where `divergence` of a shift reaches `TARGETS`.

    Tries octaves from `start` on until they enclose the targets or change nothing any more, and
    interpolates between them. Levels are a quarter octave apart at least, and none is finer than
    `finest`.
    """
    tried = {start: divergence(start)}
    while max(tried.values()) < TARGETS[-1] and len(tried) < _MOST_TRIALS:
        tried[max(tried) + STEPS_PER_OCTAVE] = divergence(max(tried) + STEPS_PER_OCTAVE)
    while min(tried.values()) > TARGETS[0] and min(tried) > finest and len(tried) < _MOST_TRIALS:
        last = min(tried)
        finer = tried[last - STEPS_PER_OCTAVE] = divergence(last - STEPS_PER_OCTAVE)
        if finer < TARGETS[1] and finer > _NO_GAIN * tried[last]:
            break
    at = np.array(sorted(tried), np.float64)
    # Noise at fine steps must not make a curve that falls.
    logs = np.maximum.accumulate(np.log([max(tried[int(shift)], 1e-9) for shift in at]))
    found = np.maximum(np.rint(np.interp(np.log(TARGETS), logs, at)), finest)
    apart = np.arange(len(LADDER))
    return np.asarray(np.maximum.accumulate(found - apart) + apart, np.int32)


class Trials:
    """The continuations of some texts behind caches coded at any step; answers are kept exact."""

    def __init__(
        self, model: PreTrainedModel, readings: Sequence[Reading], tables: TransformTables
    ) -> None:
        """`tables`: at a level shift of 0."""
        self._model = model
        self._tables = tables
        self._texts = [
            (reading, [_Part.of(tables, n, part.rows) for n, part in enumerate(reading.parts)])
            for reading in readings
        ]

    def divergence(self, shift: int) -> float:
        """Mean KL, in nats a token, at a step of `shift` quarter octaves."""
        return float(np.mean([self._of(reading, parts, shift) for reading, parts in self._texts]))

    def _of(self, reading: Reading, parts: Sequence[_Part], shift: int) -> float:
        dtype = self._model.dtype
        coded = [part.coded(self._tables, shift).to(dtype) for part in parts]
        layers = [LayerKV(*pair) for pair in zip(coded[::2], coded[1::2], strict=True)]
        cache = restore(self._model, layers, reading.positions)
        logs = torch.log_softmax(continue_logits(self._model, cache, reading.rest), dim=-1)
        expected = reading.expected
        return float((expected.exp() * (expected - logs)).sum(dim=-1).mean())


@dataclass(frozen=True, slots=True)
class _Part:
    """Keys or values of a layer over one text: coordinates by zone, in steps at shift 0."""

    places: Sequence[Place]
    coordinates: Sequence[Rows]

    @classmethod
    def of(cls, tables: TransformTables, number: int, rows: Rows) -> _Part:
        """Take part `number`: keys of the first layer, its values, keys of the second, ..."""
        cut = zones(len(rows), begins_context=True, ends_context=True)
        places = [Place(number // 2, number % 2, _ANY_LEVEL, zone.setting) for zone in cut]
        parts = [
            analyse(tables, place, rows[zone.start : zone.stop])
            for place, zone in zip(places, cut, strict=True)
        ]
        return cls(places, parts)

    def coded(self, tables: TransformTables, shift: int) -> Tensor:
        """Quantise and undo it, without the coder: [kv_heads, tokens, head_dim]."""
        step = np.float32(np.exp2(shift / STEPS_PER_OCTAVE))
        offsets = tables.offsets[len(tables.offsets) // len(SHAPES) + SCALES // 2]
        rows = np.concatenate(
            [
                synthesise(tables, place, step * nearest(y / step, offsets))
                for place, y in zip(self.places, self.coordinates, strict=True)
            ]
        )
        split = rows.reshape(len(rows), tables.kv_heads, -1).transpose(1, 0, 2)
        return torch.from_numpy(np.ascontiguousarray(split))
