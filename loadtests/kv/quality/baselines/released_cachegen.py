"""CacheGen as its authors released it (LMCache, `cachegen_encoder.py`), not as the paper has it.

No anchors and no deltas. A token's channels, of all heads of a layer, share one scale: the largest
magnitude. How finely is a number of bins by layer. One distribution per (layer, channel), counted
over the chunk itself and sent with it as 16-bit cumulative counts.

As shipped, every table is as long as the finest layer's needs: bins + 1 entries. One difference, in
favour of the baseline: one interleaved stream a part, instead of an arithmetic stream per channel
whose int32 lengths are shipped too.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.coding.frequencies import SYMBOLS, TOTAL, FrequencyTables
from cachemw_codecs.coding.rans import decode, encode
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.kv import LayerKV, LayerShape, by_head, by_token, require_finite
from numpy.typing import NDArray
from torch import Tensor

_CUMULATIVE = np.dtype("<u2")
_LENGTH = 4


class ReleasedCachegen(Codec):
    """Levels are bins of the first layers, bins of the others; `32-16` is the released setting.

    First layers, in shares of the 7B and 8B settings: of keys 10 of 32, of values 2 of 32.
    """

    name: ClassVar[str] = "cachegen-released"
    levels: ClassVar[tuple[str, ...]] = (
        "128-64", "64-32", "48-24", "32-16", "24-12", "16-8", "12-6",
    )  # fmt: skip

    def __init__(self, layers: int) -> None:
        self._first = (-(-layers * 10 // 32), -(-layers * 2 // 32))

    def encode_layer(self, layer: int, kv: LayerKV, level: str) -> bytes:
        """See the base class."""
        require_finite(kv)
        keys, values = (
            _encode(by_token(part), most, self._entries(level))
            for part, most in zip((kv.keys, kv.values), self._most(layer, level), strict=True)
        )
        return len(keys).to_bytes(_LENGTH, "little") + keys + values

    def decode_layer(self, layer: int, payload: bytes, shape: LayerShape, level: str) -> LayerKV:
        """See the base class."""
        split = _LENGTH + int.from_bytes(payload[:_LENGTH], "little")
        pieces = (payload[_LENGTH:split], payload[split:])
        most = self._most(layer, level)
        keys, values = (
            by_head(_decode(piece, shape, m, self._entries(level)).to(shape.dtype), shape)
            for piece, m in zip(pieces, most, strict=True)
        )
        return LayerKV(keys, values)

    def _most(self, layer: int, level: str) -> tuple[int, int]:
        """Greatest magnitude of keys' and values' codes: bins // 2 - 1, as released."""
        self.require_level(level)
        bins = tuple(int(b) for b in level.split("-"))
        keys, values = (bins[layer >= first] // 2 - 1 for first in self._first)
        return keys, values

    @staticmethod
    def _entries(level: str) -> int:
        return int(level.partition("-")[0]) + 1


def _encode(rows: Tensor, most: int, entries: int) -> bytes:
    """[tokens, channels]: a bfloat16 scale a token, cumulative counts a channel, one stream."""
    scales = rows.abs().amax(dim=1, keepdim=True).to(torch.bfloat16)
    wide = scales.float().clamp_min(1e-30)
    shifted = torch.round(rows.float() * (most / wide)).clamp(-most, most) + most
    symbols = shifted.to(torch.uint8).numpy()
    cumulative = _cumulative(symbols, entries)
    columns = np.arange(symbols.shape[1], dtype=np.int32)
    stream = encode(symbols, columns, _tables(cumulative))
    return scales.view(torch.int16).numpy().tobytes() + cumulative.tobytes() + stream


def _decode(payload: bytes, shape: LayerShape, most: int, entries: int) -> Tensor:
    """Undo `_encode`: float32 [tokens, channels]."""
    scales_end = 2 * shape.tokens
    tables_end = scales_end + _CUMULATIVE.itemsize * shape.channels * entries
    if len(payload) < tables_end:
        raise DamagedData("cachegen-released: the payload is too short")
    words = np.frombuffer(payload[:scales_end], np.int16).copy()
    scales = torch.from_numpy(words).view(torch.bfloat16).float()[:, None]
    cumulative = np.frombuffer(payload[scales_end:tables_end], _CUMULATIVE)
    tables = _tables(cumulative.reshape(shape.channels, entries))
    columns = np.arange(shape.channels, dtype=np.int32)
    coded = decode(payload[tables_end:], shape.tokens, columns, tables)
    return (torch.from_numpy(coded.astype(np.float32)) - most) / most * scales


def _cumulative(symbols: NDArray[np.uint8], entries: int) -> NDArray[np.uint16]:
    """uint16 [channels, entries]: shares of 65535 up to each symbol."""
    counts = np.stack([np.bincount(column, minlength=entries - 1) for column in symbols.T])
    sums = np.concatenate((np.zeros((len(counts), 1)), np.cumsum(counts, axis=1)), axis=1)
    shares: NDArray[np.uint16] = np.rint(sums * (65535 / len(symbols))).astype(_CUMULATIVE)
    return shares


def _tables(cumulative: NDArray[np.uint16]) -> FrequencyTables:
    """Round to the coder's 4096ths, down; the commonest symbol gets what is left.

    A symbol of up to 4096 tokens has at least one 4096th, so that nothing rounds to none.
    """
    shares = np.diff(cumulative.astype(np.int64), axis=1)
    if not bool((shares >= 0).all()) or not bool((shares.sum(axis=1) == 65535).all()):
        raise DamagedData("cachegen-released: a table is not one of shares")
    frequencies = np.zeros((len(shares), SYMBOLS), np.int64)
    frequencies[:, : shares.shape[1]] = shares * TOTAL // 65535
    left = TOTAL - frequencies.sum(axis=1)
    frequencies[np.arange(len(shares)), shares.argmax(axis=1)] += left
    return FrequencyTables(frequencies.astype(np.uint16))
