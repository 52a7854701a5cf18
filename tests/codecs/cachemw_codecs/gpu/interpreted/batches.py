"""Small batches of streams for the tests."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from cachemw_codecs.coding import rans
from cachemw_codecs.coding.frequencies import TOTAL, FrequencyTables
from cachemw_codecs.errors import DamagedData
from cachemw_codecs.gpu.coder import DeviceTables, Encoded, Field, Strides, decode, describe, room
from cachemw_codecs.gpu.rans_kernels import BAD_ESCAPE, BAD_WORDS
from numpy.typing import NDArray

DEVICE = torch.device("cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda")
Symbols = NDArray[np.uint8]


def make_tables() -> FrequencyTables:
    """Narrow to wide around 128, one that always says 128, and one that cannot say 200 and up."""
    distance = np.abs(np.arange(256) - 128)
    rows = []
    for scale in (0.3, 2.0, 30.0):
        weights = np.exp(-distance / scale)
        row = 1 + (weights / weights.sum() * (TOTAL - 256)).astype(np.int64)
        row[128] += TOTAL - row.sum()
        rows.append(row)
    rows.append(np.where(distance == 0, TOTAL, 0))
    rows.append(np.where(np.arange(256) < 200, 20, 0))
    rows[-1][0] += TOTAL - rows[-1].sum()
    return FrequencyTables(np.array(rows, np.uint16))


def make_offsets() -> NDArray[np.float32]:
    return np.array([0.4, 0.25, 0.1, 0.0, 0.05], np.float32)


def draw(
    rng: np.random.Generator, tokens: int, columns: NDArray[np.int32], tables: FrequencyTables
) -> Symbols:
    """Symbols [tokens, columns] that come as often as their tables say."""
    slots = rng.integers(0, TOTAL, (tokens, len(columns)))
    return np.asarray(tables.slots[columns[None, :], slots])


@dataclass(frozen=True)
class Batch:
    symbols: Sequence[Symbols]
    payloads: Sequence[bytes]
    rows: Sequence[int]
    columns: NDArray[np.int32]

    @property
    def tokens(self) -> list[int]:
        return [len(one) for one in self.symbols]

    @property
    def width(self) -> int:
        return int(self.columns.shape[1])


def batch(
    rng: np.random.Generator,
    tokens: Sequence[int],
    columns: NDArray[np.int32],
    tables: FrequencyTables,
) -> Batch:
    """Streams of `tokens`, coded by the CPU, that use the rows of `columns` in turn."""
    rows = [i % len(columns) for i in range(len(tokens))]
    symbols = [
        draw(rng, count, columns[row], tables) for count, row in zip(tokens, rows, strict=True)
    ]
    payloads = [
        rans.encode(one, columns[row], tables) for one, row in zip(symbols, rows, strict=True)
    ]
    return Batch(symbols, payloads, rows, columns)


def decoded(
    streams: Batch, payloads: Sequence[bytes], tables: DeviceTables
) -> tuple[list[Symbols], list[int]]:
    """Decode `payloads` as `streams`; returns symbols and statuses."""
    described = describe([len(p) for p in payloads], streams.tokens, streams.rows, streams.width)
    # One word more than there is, so that the buffer is never empty.
    words = np.frombuffer(b"".join(payloads) + b"\0\0", "<u2").copy()
    out = torch.full((room(described, streams.width),), 99, dtype=torch.uint8, device=DEVICE)
    status = decode(
        torch.from_numpy(words).to(DEVICE),
        torch.from_numpy(described).to(DEVICE),
        torch.from_numpy(streams.columns).to(DEVICE),
        tables,
        out,
        Strides.decoding_order(streams.width),
    )
    flat = out.cpu().numpy()
    found, at = [], 0
    for count in streams.tokens:
        groups = -(-count // 32)
        size = groups * 32 * streams.width
        block = flat[at : at + size].reshape(groups, streams.width, 32)
        rows = block.transpose(0, 2, 1).reshape(-1, streams.width)
        assert (rows[count:] == 99).all()  # what no token has is not written
        found.append(rows[:count])
        at += size
    return found, status.tolist()


def decode_on_cpu(
    words: torch.Tensor,
    streams: torch.Tensor,
    columns: torch.Tensor,
    tables: DeviceTables,
    values: torch.Tensor,
    strides: Strides,
    status: torch.Tensor,
) -> None:
    """Do what `coder.decode` does to float16, by the CPU's coder."""
    width = columns.shape[1]
    assert strides == Strides.decoding_order(width)
    f = (tables.ranges.numpy().view(np.uint32) >> 16).astype(np.uint16)
    coder = FrequencyTables(f)
    for number, described in enumerate(streams.T.numpy()):
        start, length, rows = (described[field] for field in list(Field)[:3])
        of_columns = columns[described[Field.COLUMNS]]
        coded = words[start : start + length].numpy().tobytes()
        status[number] = 0
        try:
            symbols = rans.decode(coded, int(rows), of_columns.numpy(), coder)
        except DamagedData:
            status[number] = BAD_WORDS
            symbols = np.zeros((int(rows), width), np.uint8)
        if np.count_nonzero(symbols == 0) != described[Field.ESCAPES]:
            status[number] |= BAD_ESCAPE
        q = torch.from_numpy(symbols.astype(np.float32)) - 128
        padded = torch.zeros(-(-int(rows) // 32) * 32, width)
        padded[:rows] = q - q.sign() * tables.offsets[of_columns.long()]
        place = described[Field.PLACE]
        lines = padded.view(-1, 32, width).transpose(1, 2).reshape(-1)
        values[place : place + lines.numel()] = lines.half()


def encode_on_cpu(
    symbols: torch.Tensor,
    streams: torch.Tensor,
    columns: torch.Tensor,
    tables: DeviceTables,
    strides: Strides,
) -> Encoded:
    """Do what `coder.encode` does, by the CPU's coder."""
    width = columns.shape[1]
    assert strides == Strides.rows(width)
    coder = FrequencyTables((tables.ranges.numpy().view(np.uint32) >> 16).astype(np.uint16))
    coded = []
    for described in streams.T.tolist():
        place, rows = described[Field.PLACE], described[Field.TOKENS]
        own = symbols[place : place + rows * width].view(rows, width).numpy()
        coded.append(rans.encode(own, columns[described[Field.COLUMNS]].numpy(), coder))
    lengths = torch.tensor([len(one) // 2 for one in coded])
    words = torch.from_numpy(np.frombuffer(b"".join(coded), "<u2").copy())
    status = torch.zeros(len(coded), dtype=torch.int32)
    return Encoded(words, torch.cumsum(lengths, 0) - lengths, lengths, status)
