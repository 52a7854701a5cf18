"""One layer to decode, on the host: its bytes, and what is to be done with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cachemw_codecs.errors import DamagedData
from cachemw_codecs.gpu.blocks import Blocks
from cachemw_codecs.gpu.coder import Field
from cachemw_codecs.gpu.plan import LayerPlan
from cachemw_codecs.gpu.transform import Unit

NO_ESCAPES: NDArray[np.int64] = np.zeros((3, 0), np.int64)


@dataclass(frozen=True, slots=True)
class LayerPayload:
    """One layer to decode, on the host; pinned, its copy overlaps the decoding of another.

    `words`: uint16. `described`: int64, of tokens and then of blocks the plan's streams, units and
    blocks, then escapes: `escapes` says how many.
    """

    words: Tensor
    described: Tensor
    plan: LayerPlan
    escapes: tuple[int, int]

    @classmethod
    def of(
        cls,
        payload: bytes | memoryview,
        plan: LayerPlan,
        escapes: NDArray[np.int64] = NO_ESCAPES,
        pin: bool = False,
    ) -> LayerPayload:
        """From the streams' bytes, back to back.

        `escapes`: int64 [3, n], see `put_escapes`; streams as they lie in the buffer.
        """
        if len(payload) != 2 * plan.words:
            raise DamagedData(f"{len(payload)} bytes of streams, not {2 * plan.words}")
        parts: list[NDArray[np.int64]] = []
        listed = _by_kind(escapes, plan)
        for rows, some in zip((plan.tokens, plan.blocks), listed, strict=True):
            streams = rows.streams.copy()
            streams[Field.ESCAPES] = np.bincount(some[0], minlength=streams.shape[1])
            parts += [streams, rows.units, rows.blocks, some]
        flat = np.concatenate([part.ravel() for part in parts])
        words = torch.from_numpy(np.frombuffer(payload, "<u2").copy())
        described = torch.from_numpy(flat)
        if pin:
            words, described = words.pin_memory(), described.pin_memory()
        return cls(words, described, plan, (listed[0].shape[1], listed[1].shape[1]))

    def taken_apart(self, described: Tensor) -> tuple[RowsToDecode, RowsToDecode]:
        """Split `described`, or a copy of it on the device."""
        sizes = []
        for rows, count in zip((self.plan.tokens, self.plan.blocks), self.escapes, strict=True):
            sizes += [rows.streams.size, rows.units.size, rows.blocks.size, 3 * count]
        counts = (len(Field), len(Unit), len(Blocks), 3)
        parts = [
            part.view(rows, -1)
            for part, rows in zip(torch.split(described, sizes), 2 * counts, strict=True)
        ]
        return RowsToDecode(*parts[:4]), RowsToDecode(*parts[4:])


@dataclass(frozen=True, slots=True)
class RowsToDecode:
    """As in `plan.RowsPlan`; `escapes`: see `put_escapes`."""

    streams: Tensor
    units: Tensor
    blocks: Tensor
    escapes: Tensor


def _by_kind(
    escapes: NDArray[np.int64], plan: LayerPlan
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split escapes into those of tokens and those of blocks, numbered like the plan's streams."""
    if escapes.size and not 0 <= escapes[0].min() <= escapes[0].max() < len(plan.order):
        raise DamagedData(f"an escape is of none of {len(plan.order)} streams")
    numbered = escapes.copy()
    numbered[0] = plan.order[escapes[0]]
    tokens = plan.tokens.streams.shape[1]
    blocked = numbered[0] >= tokens
    of_blocks = numbered[:, blocked]
    of_blocks[0] -= tokens
    return numbered[:, ~blocked], of_blocks
