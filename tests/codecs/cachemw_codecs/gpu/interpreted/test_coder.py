from __future__ import annotations

import numpy as np
import pytest
import torch
from cachemw_codecs.coding.frequencies import FrequencyTables
from cachemw_codecs.errors import DamagedData, InvalidInput
from cachemw_codecs.gpu import coder, rans_kernels
from cachemw_codecs.gpu.coder import DeviceTables, Field, Strides

from tests.codecs.cachemw_codecs.gpu.interpreted.batches import DEVICE, batch, decoded

COLUMNS = np.array([[0, 1, 2, 3, 4], [2, 2, 0, 1, 4]], np.int32)
TOKENS = (70, 3, 32, 64, 1)


def test_what_the_cpu_wrote_decodes(
    rng: np.random.Generator, tables: FrequencyTables, device_tables: DeviceTables
) -> None:
    streams = batch(rng, TOKENS, COLUMNS, tables)
    found, status = decoded(streams, streams.payloads, device_tables)
    assert status == [0] * len(TOKENS)
    for symbols, expected in zip(found, streams.symbols, strict=True):
        np.testing.assert_array_equal(symbols, expected)


def _encode(
    symbols: np.ndarray, described: np.ndarray, columns: np.ndarray, tables: DeviceTables
) -> coder.Encoded:
    return coder.encode(
        torch.from_numpy(symbols).to(DEVICE),
        torch.from_numpy(described).to(DEVICE),
        torch.from_numpy(columns).to(DEVICE),
        tables,
        Strides.rows(columns.shape[1]),
    )


def test_the_bytes_are_those_of_the_cpu(
    rng: np.random.Generator, tables: FrequencyTables, device_tables: DeviceTables
) -> None:
    streams = batch(rng, TOKENS, COLUMNS, tables)
    described = coder.describe([0] * len(TOKENS), TOKENS, streams.rows, streams.width)
    sizes = [one.size for one in streams.symbols]
    described[Field.PLACE] = np.cumsum(sizes) - sizes
    flat = np.concatenate([one.ravel() for one in streams.symbols])
    encoded = _encode(flat, described, COLUMNS, device_tables)
    assert encoded.words.cpu().numpy().tobytes() == b"".join(streams.payloads)
    assert (2 * encoded.lengths).tolist() == [len(payload) for payload in streams.payloads]
    assert not encoded.status.any()


def test_a_symbol_without_frequency_is_noted(device_tables: DeviceTables) -> None:
    symbols = np.array([[128, 199], [129, 199]], np.uint8)
    columns = np.array([[3, 4]], np.int32)
    described = coder.describe([0], [2], [0], 2)
    encoded = _encode(symbols.ravel(), described, columns, device_tables)
    assert encoded.status.tolist() == [rans_kernels.BAD_SYMBOL]


def test_damage_is_noted_in_the_stream_that_has_it(
    rng: np.random.Generator, tables: FrequencyTables, device_tables: DeviceTables
) -> None:
    streams = batch(rng, (40, 40, 40, 40, 40), COLUMNS, tables)
    good = list(streams.payloads)
    cut, more, start = good[1][:-2], good[2] + b"\0\0", b"\0" * 4 + good[3][4:]
    found, status = decoded(streams, [good[0], cut, more, start, b""], device_tables)
    np.testing.assert_array_equal(found[0], streams.symbols[0])
    assert status[0] == 0
    assert status[1] & rans_kernels.BAD_WORDS
    assert status[2] == rans_kernels.BAD_WORDS
    assert status[3] & rans_kernels.BAD_BEGIN
    assert status[4] & rans_kernels.BAD_BEGIN


def test_any_bytes_decode_to_something_or_are_noted(
    rng: np.random.Generator, tables: FrequencyTables, device_tables: DeviceTables
) -> None:
    streams = batch(rng, (33,) * 12, COLUMNS, tables)
    changed = []
    for number, payload in enumerate(streams.payloads):
        content = bytearray(payload)
        for at in rng.integers(0, len(content), 1 + number):
            content[at] ^= 1 << rng.integers(8)
        changed.append(bytes(content[: len(content) - 2 * (number % 3)]))
    found, status = decoded(streams, changed, device_tables)
    for symbols, expected, bits in zip(found, streams.symbols, status, strict=True):
        assert bits or (symbols == expected).all()
    assert any(status)


def test_a_bad_status_is_raised_with_its_stream() -> None:
    coder.require_good(torch.zeros(3, dtype=torch.int32))
    with pytest.raises(DamagedData, match=r"stream 2: words are missing or left over, a state at"):
        coder.require_good(torch.tensor([0, 0, 6, 1], dtype=torch.int32))


def test_an_odd_length_is_refused() -> None:
    with pytest.raises(DamagedData, match="whole number of words"):
        coder.describe([4, 3], [1, 1], [0, 0], 5)


@pytest.mark.parametrize("tokens", [-1, 1 << 40])
def test_a_stream_too_long_to_count_is_refused(tokens: int) -> None:
    with pytest.raises(DamagedData, match="symbols"):
        coder.describe([4], [tokens], [0], 5)


def test_a_table_that_is_not_there_is_refused(device_tables: DeviceTables) -> None:
    device_tables.check(COLUMNS)
    for wrong in (-1, 5):
        with pytest.raises(InvalidInput, match="not within 0 to 4"):
            device_tables.check(np.array([[0, wrong]], np.int32))
