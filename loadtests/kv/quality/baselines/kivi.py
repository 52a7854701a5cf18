"""KIVI: keys quantised per channel, values per token (arXiv 2402.02750).

Differences from the paper, both in favour of it: keys are taken before the rotary embedding, where
channels keep their scale (as KVQuant, arXiv 2401.18079, found), and groups of values run over all
heads of a token, so that a group may be larger than a head.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.kv import LayerKV, LayerShape, by_head, by_token, require_finite
from torch import Tensor

from loadtests.kv.quality.baselines.bits import Floats, dequantise, quantise, quantised_size

RESIDUAL = 128
"""Recent tokens that the paper keeps in full precision."""
_BITS = (4, 3, 2)
_GROUPS = (16, 32, 64, 128)


class Kivi(Codec):
    """`residual` last tokens stay as they are; the rest is quantised in groups.

    Levels are bits and group: of tokens of one channel for keys, of channels of one token for
    values. Groups at the end are filled up with their last member.
    """

    name: ClassVar[str] = "kivi"
    levels: ClassVar[tuple[str, ...]] = tuple(f"{b}bit-g{g}" for b in _BITS for g in _GROUPS)

    def __init__(self, residual: int = 0) -> None:
        self._residual = residual

    def encode_layer(self, layer: int, kv: LayerKV, level: str) -> bytes:
        """See the base class."""
        del layer
        bits, group = self._setting(level)
        require_finite(kv)
        old = self._old(kv.shape)
        parts = []
        for part, per_channel in ((kv.keys, True), (kv.values, False)):
            rows = by_token(part)
            if old:
                lines = rows[:old].float().numpy()
                parts.append(quantise(_grouped(lines.T if per_channel else lines, group), bits))
            parts.append(_raw(rows[old:]))
        return b"".join(parts)

    def decode_layer(self, layer: int, payload: bytes, shape: LayerShape, level: str) -> LayerKV:
        """See the base class."""
        del layer
        bits, group = self._setting(level)
        old = self._old(shape)
        recent = 2 * shape.channels * (shape.tokens - old)
        parts: list[Tensor] = []
        at = 0
        for lines, length in ((shape.channels, old), (old, shape.channels)):
            per_channel = not parts
            rows = np.zeros((0, shape.channels), np.float32)
            if old:
                members = min(group, length)
                groups = lines * -(-length // members)
                size = quantised_size(groups, members, bits)
                _require(len(payload) >= at + size + recent)
                flat = dequantise(payload[at : at + size], groups, members, bits)
                read = flat.reshape(lines, -1)[:, :length]
                rows = read.T.copy() if per_channel else read.copy()
                at += size
            _require(len(payload) >= at + recent)
            exact = _read_raw(payload[at : at + recent], shape)
            both = torch.cat((torch.from_numpy(rows), exact.float()))
            parts.append(by_head(both.to(shape.dtype), shape))
            at += recent
        _require(len(payload) == at)
        return LayerKV(*parts)

    def _old(self, shape: LayerShape) -> int:
        """Tokens that are quantised."""
        return max(0, shape.tokens - self._residual)

    def _setting(self, level: str) -> tuple[int, int]:
        self.require_level(level)
        bits, _, group = level.partition("bit-g")
        return int(bits), int(group)


class KiviWithResidual(Kivi):
    """As the paper has it. Made for one growing cache: give it a whole prefix as one chunk."""

    name: ClassVar[str] = "kivi-r128"

    def __init__(self) -> None:
        super().__init__(RESIDUAL)


def _grouped(lines: Floats, group: int) -> Floats:
    """[lines, length] -> [groups, members]: groups within lines."""
    members = min(group, lines.shape[1])
    short = -lines.shape[1] % members
    full = np.pad(lines, ((0, 0), (0, short)), mode="edge")
    return np.ascontiguousarray(full).reshape(-1, members)


def _require(fits: bool) -> None:
    if not fits:
        raise DamagedData("kivi: the payload's size does not fit its shape")


def _raw(rows: Tensor) -> bytes:
    """bfloat16, token by token."""
    return rows.to(torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes()


def _read_raw(data: bytes, shape: LayerShape) -> Tensor:
    words = np.frombuffer(data, np.int16).copy()
    return torch.from_numpy(words).view(torch.bfloat16).reshape(-1, shape.channels)
