"""Batches of rANS streams on the GPU: the bytes are those of `coding.rans`, both ways.

A batch is streams of one width. What they are is one int64 tensor [6, streams] (`Field`), so that
one copy takes it to the device. Own design; the layout of lanes follows dietgpu.

What limits it, as counted in the compiled code (Triton 3.9 for sm_90), not timed: a step of 32
symbols is 65 instructions, 46 registers and two loads that wait for each other (the slot's entry,
the next word), so some hundred cycles, more where tables of 16 KiB fall out of the L1 cache. An SM
hides that with the 32 such warps it can hold, if there are as many: one layer of 8192 tokens in
chunks of 512, 128 channels a stream, is 256 streams, two an SM. Shorter chunks, narrower streams or
several layers at a time fill it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cachemw_codecs.coding.frequencies import FrequencyTables
from cachemw_codecs.errors import DamagedData, InvalidInput
from cachemw_codecs.gpu import rans_kernels as kernels

LANES = 32
STATE_WORDS = 2 * LANES
MAX_SYMBOLS = 1 << 30
"""Of a stream: the kernels count within it in 32 bits."""


class Field(IntEnum):
    """Rows of the tensor that describes streams."""

    START = 0
    """Where its words begin in the buffer, in words (for the encoder: where they end)."""
    LENGTH = 1
    """Words, those of the states among them."""
    TOKENS = 2
    COLUMNS = 3
    """Which row of `columns` names its tables."""
    PLACE = 4
    """Where its symbols begin, in elements."""
    ESCAPES = 5
    """How many of its symbols are 0; only read where values in steps are written."""


@dataclass(frozen=True, slots=True)
class Strides:
    """Where symbol (token, column) of a stream lies, in elements from its place."""

    by_group: int
    by_column: int
    by_lane: int

    @classmethod
    def rows(cls, width: int) -> Strides:
        """Row-major [tokens, width]."""
        return cls(LANES * width, 1, width)

    @classmethod
    def decoding_order(cls, width: int) -> Strides:
        """Lie as [groups of 32 tokens, width, 32]: a step of 32 lanes is written in one piece."""
        return cls(LANES * width, LANES, 1)


@dataclass(frozen=True, slots=True)
class DeviceTables:
    """Tables as the kernels look them up.

    `slots`: int32 [tables, 4096], symbol x 2^24 + (frequency - 1) x 2^12 + (slot - start): one load
    a step. `ranges`: int32 [tables, 256], frequency x 2^16 + start. `offsets`: float32 [tables],
    how far toward zero of |q| a value of the table is reconstructed.
    """

    slots: Tensor
    ranges: Tensor
    offsets: Tensor

    @classmethod
    def of(
        cls, tables: FrequencyTables, offsets: NDArray[np.float32], device: torch.device
    ) -> DeviceTables:
        """Bring `tables` to `device`."""
        if offsets.shape != (len(tables),):
            raise InvalidInput(f"offsets: expected [{len(tables)}]")
        symbol = tables.slots.astype(np.uint32)
        rows = np.arange(len(tables))[:, None]
        frequency = tables.frequencies[rows, symbol].astype(np.uint32)
        offset = np.arange(symbol.shape[1], dtype=np.uint32) - tables.starts[rows, symbol]
        slots = (symbol << 24) | ((frequency - 1) << 12) | offset
        return cls(
            _signed(slots.astype(np.uint32), device),
            _signed(tables.ranges, device),
            torch.from_numpy(np.ascontiguousarray(offsets, np.float32)).to(device),
        )

    def check(self, columns: NDArray[np.int32]) -> None:
        """Raise `InvalidInput` where a column names a table that is not there."""
        if columns.size and not (columns.min() >= 0 and columns.max() < len(self.slots)):
            raise InvalidInput(f"columns: a table is not within 0 to {len(self.slots) - 1}")


def _signed(values: NDArray[np.uint32], device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values).view(np.int32)).to(device)


def decode(
    words: Tensor,
    streams: Tensor,
    columns: Tensor,
    tables: DeviceTables,
    symbols: Tensor,
    strides: Strides,
    status: Tensor | None = None,
) -> Tensor:
    """Decode streams into `symbols`; returns their status, int32 [streams], 0 where all is well.

    `words`: uint16, on the device. `columns`: int32 [rows, width] of checked table numbers. Where
    `symbols` is float16, sign(q) (|q| - offset) of q = symbol - 128 is written, 0 where a group
    has no token: `strides` must be those of decoding order then. Any words are safe to decode;
    starts, lengths and places must lie within the buffers, which is the caller's to see to.
    """
    if status is None:
        status = torch.empty(streams.shape[1], dtype=torch.int32, device=words.device)
    if len(status):
        kernels.decode_kernel[(len(status),)](
            words,
            streams,
            columns,
            tables.slots,
            tables.offsets,
            symbols,
            status,
            len(status),
            columns.shape[1],
            strides.by_group,
            strides.by_column,
            strides.by_lane,
            DEQUANTISE=symbols.dtype == torch.float16,
            VOTE=words.is_cuda,
            num_warps=1,
        )
    return status


@dataclass(frozen=True, slots=True)
class Encoded:
    """Streams back to back: `words` uint16; `starts` and `lengths`, int64 [streams], in words."""

    words: Tensor
    starts: Tensor
    lengths: Tensor
    status: Tensor


def encode(
    symbols: Tensor, streams: Tensor, columns: Tensor, tables: DeviceTables, strides: Strides
) -> Encoded:
    """Encode `symbols`, uint8; of `streams`, tokens, columns and place are read.

    Waits for the device once, to learn the size. A status of 8: a symbol had frequency 0.
    """
    width = columns.shape[1]
    # A symbol gives one word at most.
    capacity = streams[Field.TOKENS] * width + STATE_WORDS
    ends = torch.cumsum(capacity, 0)
    described = streams.clone()
    described[Field.START] = ends
    count = streams.shape[1]
    room = torch.empty(int(ends[-1]), dtype=torch.uint16, device=symbols.device)
    status = torch.empty(count, dtype=torch.int32, device=symbols.device)
    kernels.encode_kernel[(count,)](
        symbols,
        described,
        columns,
        tables.ranges,
        room,
        status,
        count,
        width,
        strides.by_group,
        strides.by_column,
        strides.by_lane,
        VOTE=symbols.is_cuda,
        num_warps=1,
    )
    lengths = described[Field.LENGTH].contiguous()
    after = torch.cumsum(lengths, 0)
    starts = after - lengths
    words = torch.empty(int(after[-1]), dtype=torch.uint16, device=symbols.device)
    kernels.gather_kernel[(count,)](room, ends, starts, lengths, words, BLOCK=1024, num_warps=4)
    return Encoded(words, starts, lengths, status)


def describe(
    lengths: Sequence[int], tokens: Sequence[int], rows: Sequence[int], width: int
) -> NDArray[np.int64]:
    """Describe streams that lie back to back, int64 [6, streams]; symbols in decoding order too.

    `lengths` in bytes; no escapes. Raises `DamagedData` for what no stream has. A stream's symbols
    take up whole groups of 32 tokens.
    """
    sizes = np.asarray(lengths, np.int64)
    if bool((sizes % 2 != 0).any()) or bool((sizes < 0).any()):
        raise DamagedData("rANS: a stream is not a whole number of words")
    count = np.asarray(tokens, np.int64)
    if bool((count < 0).any()) or bool((count > MAX_SYMBOLS // width).any()):
        raise DamagedData(f"rANS: a stream of more than {MAX_SYMBOLS} symbols, or fewer than none")
    described = np.zeros((len(Field), len(sizes)), np.int64)
    described[Field.LENGTH] = sizes // 2
    described[Field.START] = np.cumsum(sizes // 2) - sizes // 2
    described[Field.TOKENS] = count
    described[Field.COLUMNS] = rows
    room = -(-count // LANES) * LANES * width
    described[Field.PLACE] = np.cumsum(room) - room
    return described


def room(described: NDArray[np.int64], width: int) -> int:
    """Elements that the symbols of `described` take up in decoding order."""
    groups = -(-described[Field.TOKENS] // LANES)
    return int(groups.sum()) * LANES * width


def require_good(status: Tensor) -> None:
    """Wait for `status`; raise `DamagedData`, naming the first stream that did not decode."""
    bad = torch.nonzero(status).flatten()
    if not len(bad):
        return
    stream = int(bad[0])
    bits = int(status[stream])
    reasons = {
        kernels.BAD_BEGIN: "a state to begin with is out of range",
        kernels.BAD_WORDS: "words are missing or left over",
        kernels.BAD_END: "a state at the end is not the lowest",
        kernels.BAD_ESCAPE: "its escapes are not those of the symbols that stand for one",
    }
    said = ", ".join(reason for bit, reason in reasons.items() if bits & bit)
    raise DamagedData(f"rANS: stream {stream}: {said}")
