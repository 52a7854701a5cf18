"""The unit of bins that was not taken: the root mean square of each token's delta vector.

Quantised as such a codec would, and its size estimated from tables made in the same way, profiled
on the same text. Own design, like the one that was taken; the paper says "vectorwise" and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from cachemw_codecs.codecs.cachegen.profile import counted, weights_of
from cachemw_codecs.codecs.cachegen.rows import (
    decoded_anchors,
    deltas,
    joined,
    quantised_anchors,
    rows_of,
    to_layer,
    undone,
)
from cachemw_codecs.codecs.cachegen.steps import (
    GROUP,
    LARGEST,
    Floats,
    exponents_of,
    finest_bin,
    quantised_by,
    scales_of,
)
from cachemw_codecs.coding.frequencies import FrequencyTables, quantised
from cachemw_codecs.kv import LayerKV

from loadtests.kv.cachegen.texts import Layers

KEPT_BITS = 16


class Quantised(NamedTuple):
    """Exponents of scales, [tokens, 2], and numbers, [tokens, 2 x channels]; both float32."""

    scales: Floats
    numbers: Floats


class ByToken:
    """Deltas in units of their token's root mean square, sent in eighths of an octave."""

    def __init__(self, samples: Sequence[Layers], multiple: int) -> None:
        """Profile."""
        self._layers = len(samples[0])
        self._multiple = multiple
        self._tables = [
            self._profiled([self._quantised(number, sample[number]) for sample in samples])
            for number in range(self._layers)
        ]

    def bits(self, layers: Layers) -> float:
        """Estimate the bits of deltas and their scales."""
        total = 0.0
        for number, kv in enumerate(layers):
            coded = self._quantised(number, kv)
            for part, tables in zip(coded, self._tables[number], strict=True):
                bits = tables.bits()
                bits[:, -1] += KEPT_BITS
                # What has no frequency would be kept as it is.
                bits = np.minimum(bits, bits[:, -1:])
                total += float((counted(part) * bits).sum())
        return total

    def decoded(self, layers: Layers) -> Layers:
        """Quantise and return what a decoder would have."""
        return tuple(self._decoded(number, kv) for number, kv in enumerate(layers))

    def _decoded(self, number: int, kv: LayerKV) -> LayerKV:
        rows = rows_of(kv)
        anchors = decoded_anchors(quantised_anchors(rows[::GROUP]))
        coded = self._quantised(number, kv)
        parts = coded.numbers.reshape(len(coded.numbers), 2, -1) * self._steps(number, coded.scales)
        differences = parts.reshape(coded.numbers.shape).astype(np.float32)
        return to_layer(joined(anchors, undone(differences, anchors, len(rows))), kv.shape)

    def _quantised(self, number: int, kv: LayerKV) -> Quantised:
        rows = rows_of(kv)
        parts = deltas(rows, decoded_anchors(quantised_anchors(rows[::GROUP])))
        parts = parts.reshape(len(parts), 2, -1)
        # Of peaks by 127 the exponents are; those of the mean squares are wanted.
        scales = exponents_of(np.sqrt((parts**2).mean(axis=2)) * LARGEST).astype(np.float32)
        numbers = quantised_by(parts, self._steps(number, scales).astype(np.float32))
        return Quantised(scales, numbers.reshape(len(parts), -1))

    def _steps(self, number: int, scales: Floats) -> Floats:
        bins = np.float32(finest_bin(number, self._layers) * self._multiple)
        return scales_of(scales.astype(np.int32))[:, :, None] * bins

    @staticmethod
    def _profiled(coded: Sequence[Quantised]) -> tuple[FrequencyTables, FrequencyTables]:
        scales, numbers = (counted(np.concatenate(part)) for part in zip(*coded, strict=True))
        made = (quantised(weights_of(c).astype(np.float64)) for c in (scales, numbers))
        first, second = (FrequencyTables(table) for table in made)
        return first, second
