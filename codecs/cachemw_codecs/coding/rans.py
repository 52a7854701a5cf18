"""Interleaved rANS: the format of a stream, and its coder for CPUs.

Source: J. Duda, arXiv 1311.2540; interleaved states: F. Giesen, arXiv 1402.3392, and dietgpu.

A stream codes a matrix of symbols, uint8 [tokens, columns]; each column has its table. Lane i, of
32, codes tokens i, i + 32, ... The order of decoding is

    for each group of 32 tokens:    for each column:    for each lane (ascending)

so that all lanes use one table at a time. In a last group that is not full, the lanes past it rest.

A state is 32 bits, within [2^15, 2^31). To decode with a table (frequency f, start c, of 4096):

    slot = x mod 4096;  s = the symbol there;  x = f * (x div 4096) + slot - c
    if x < 2^15:  x = x * 2^16 + next word

The bytes, all little-endian: `min(tokens, 32)` states of 32 bits with which decoding begins, then
16-bit words in the order they are read. All states end at 2^15 and every word has been read: else
the data are damaged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cachemw_codecs.coding import rans_numba, rans_vector
from cachemw_codecs.coding.frequencies import FrequencyTables
from cachemw_codecs.coding.lookups import Lookups
from cachemw_codecs.coding.rans_numba import LANES, LOWEST, NO_SYMBOL, TOO_SHORT
from cachemw_codecs.coding.vectors import supports
from cachemw_codecs.errors import DamagedData, InvalidInput

STATE_BYTES = 4
WORD_BYTES = 2
HIGHEST = 1 << 31


def encode(
    symbols: NDArray[np.uint8], columns: NDArray[np.int32], tables: FrequencyTables
) -> bytes:
    """Encode `symbols`, uint8 [tokens, columns], with table `columns[j]` for column j.

    Raises `InvalidInput` where a symbol has frequency 0 in its table, or a column no table.
    """
    if symbols.ndim != 2 or symbols.shape[1] != len(columns) or symbols.dtype != np.uint8:
        raise InvalidInput(
            f"symbols: expected uint8 [tokens, {len(columns)}], "
            f"got {symbols.dtype} {list(symbols.shape)}"
        )
    unknown = _without_table(columns, tables)
    if unknown:
        raise InvalidInput(unknown)
    states = np.full(LANES, LOWEST, np.uint32)
    words = np.empty(symbols.size + 1, np.uint32)
    loops = rans_vector if supports("avx512f") else rans_numba
    rows = np.require(symbols, requirements=["C", "W"])
    begin = loops.encode_tokens(rows, np.array(columns, np.int32), tables.ranges, states, words)
    if begin == NO_SYMBOL:
        raise InvalidInput(_impossible(symbols, columns, tables))
    return states[: len(symbols)].astype("<u4").tobytes() + words[begin:].astype("<u2").tobytes()


def decode(
    payload: bytes | memoryview, tokens: int, columns: NDArray[np.int32], tables: FrequencyTables
) -> NDArray[np.uint8]:
    """Decode to uint8 [tokens, columns]. Raises `DamagedData`; never reads past `payload`."""
    unknown = _without_table(columns, tables)
    if unknown:
        raise DamagedData(unknown)
    states, words = _parts(payload, min(tokens, LANES))
    symbols = np.empty((tokens, len(columns)), np.uint8)
    columns = np.array(columns, np.int32)
    if supports("avx2"):  # without AVX-512 not much faster, but with many tables three times
        lookups = Lookups.of(tables, columns)
        read = rans_vector.decode_tokens(words, columns, lookups, states, symbols)
    else:
        model = (tables.slots, tables.ranges)
        read = rans_numba.decode_tokens(words, columns, *model, states, symbols)
    count = len(words) - LANES
    if read == TOO_SHORT:
        raise DamagedData(f"rANS: the words, {count}, end before the symbols")
    if read != count:
        raise DamagedData(f"rANS: {count - read} of {count} words are left over")
    if not bool((states == LOWEST).all()):
        lane = int(np.flatnonzero(states != LOWEST)[0])
        raise DamagedData(f"rANS: lane {lane} ends in state {states[lane]}, not {LOWEST}")
    return symbols


def _parts(
    payload: bytes | memoryview, lanes: int
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Split into 32 states, checked, and words with 32 of padding after them."""
    rest = len(payload) - lanes * STATE_BYTES
    if rest < 0 or rest % WORD_BYTES:
        raise DamagedData(
            f"rANS: {len(payload)} bytes are not {lanes} states and a whole number of words"
        )
    states = np.full(LANES, LOWEST, np.uint32)
    states[:lanes] = np.frombuffer(payload, "<u4", lanes)
    outside = np.flatnonzero((states < LOWEST) | (states >= HIGHEST))
    if len(outside):
        lane = int(outside[0])
        raise DamagedData(f"rANS: lane {lane} begins in state {states[lane]}, out of range")
    words = np.zeros(rest // WORD_BYTES + LANES, np.uint32)
    words[: rest // WORD_BYTES] = np.frombuffer(payload, "<u2", offset=lanes * STATE_BYTES)
    return states, words


def _without_table(columns: NDArray[np.int32], tables: FrequencyTables) -> str:
    """Say which column names a table that is not there; empty where none does."""
    wrong = np.flatnonzero((columns < 0) | (columns >= len(tables)))
    if not len(wrong):
        return ""
    column = int(wrong[0])
    return f"columns: column {column} wants table {columns[column]} of {len(tables)}"


def _impossible(
    symbols: NDArray[np.uint8], columns: NDArray[np.int32], tables: FrequencyTables
) -> str:
    """Say where the first symbol stands that cannot be coded."""
    bad = tables.frequencies[columns[None, :], symbols] == 0
    token, column = (int(i) for i in np.argwhere(bad)[0])
    return (
        f"symbols: {symbols[token, column]} at token {token}, column {column} has frequency 0 in "
        f"table {columns[column]}"
    )
