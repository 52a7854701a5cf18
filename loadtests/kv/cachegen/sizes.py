"""A payload's bytes, by what they are spent on."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from cachemw_codecs.codecs.cachegen import CacheGen
from cachemw_codecs.codecs.cachegen.codec import ANCHORS
from cachemw_codecs.codecs.cachegen.steps import GROUP, MULTIPLES
from cachemw_codecs.codecs.cachegen.symbols import ESCAPE
from cachemw_codecs.codecs.cachegen.tables import Model
from cachemw_codecs.coding import rans
from cachemw_codecs.kv import LayerShape
from numpy.typing import NDArray

LENGTH = 4
SCALES = 2


@dataclass
class Spent:
    """Bits, added up over payloads.

    `anchors`, `scales`, `values`: what their symbols cost by the static tables; `values` are
    deltas, or all tokens where there are none. `kept`: values behind the streams. `coder`: streams
    beyond what the tables say. `lengths`: of the streams. `container`: a file beyond its payloads.
    `coded`: how many numbers it was spent on, keys and values.
    """

    anchors: float = 0.0
    scales: float = 0.0
    values: float = 0.0
    kept: float = 0.0
    coder: float = 0.0
    lengths: float = 0.0
    container: float = 0.0
    coded: int = 0
    counts: dict[tuple[str, int], NDArray[np.int64]] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """All of it."""
        return self.by_tables + self.kept + self.coder + self.lengths + self.container

    @property
    def by_tables(self) -> float:
        """What an ideal coder would spend on the symbols with these tables."""
        return self.anchors + self.scales + self.values

    @property
    def empirical(self) -> float:
        """What it would spend with the tables of this very text: entropy by layer and column."""
        return sum(map(_entropy, self.counts.values()))

    def add(
        self, codec: CacheGen, layer: int, payload: bytes, shape: LayerShape, level: str
    ) -> None:
        """Add one payload."""
        self.coded += 2 * shape.channels * shape.tokens
        multiple = MULTIPLES[codec.require_level(level)]
        heads = -(-shape.tokens // GROUP) if codec.tables.delta else 0
        at = 0
        if heads:
            model = codec.model(layer, ANCHORS)
            bits, at = self._stream(payload, at, heads, model, ("anchors", layer))
            self.scales += float(bits[:SCALES].sum())
            self.anchors += float(bits[SCALES:].sum())
        model = codec.model(layer, multiple)
        bits, at = self._stream(payload, at, shape.tokens - heads, model, ("values", layer))
        self.values += float(bits.sum())
        self.kept += 8 * (len(payload) - at)

    def _stream(
        self, payload: bytes, at: int, tokens: int, model: Model, name: tuple[str, int]
    ) -> tuple[NDArray[np.float64], int]:
        """Return the bits of each column by the tables, and where the stream ends."""
        end = at + LENGTH + int.from_bytes(payload[at : at + LENGTH], "little")
        symbols = rans.decode(payload[at + LENGTH : end], tokens, *model)
        bits = model.tables.bits()[model.columns, symbols].sum(axis=0)
        counts = np.stack([np.bincount(column, minlength=ESCAPE + 1) for column in symbols.T])
        self.counts[name] = self.counts.get(name, 0) + counts
        self.lengths += 8 * LENGTH
        self.coder += 8 * (end - at - LENGTH) - float(bits.sum())
        return bits, end


def _entropy(counts: NDArray[np.int64]) -> float:
    """Bits of all symbols, each column by its own shares."""
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return -float((counts * logs).sum())
