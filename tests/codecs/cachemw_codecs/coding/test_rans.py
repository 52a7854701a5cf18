from __future__ import annotations

from collections.abc import Callable

import constriction  # type: ignore[import-untyped]
import numpy as np
import pytest
from cachemw_codecs.coding import rans
from cachemw_codecs.coding.frequencies import SYMBOLS, FrequencyTables, quantised
from cachemw_codecs.errors import DamagedData, InvalidInput
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.codecs.cachemw_codecs.coding import plain_rans
from tests.codecs.cachemw_codecs.coding.streams import drawn, gauss, laplace, streams

Stream = tuple[NDArray[np.uint8], NDArray[np.int32], FrequencyTables]
Weights = Callable[[NDArray[np.float64]], NDArray[np.float64]]
SIGMAS = np.array([0.3, 0.5, 1, 2, 5, 10, 30])


@pytest.fixture(params=["vectors", "plain loops"], autouse=True)
def _loops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything twice, whatever this processor is: vectors are right on each."""
    monkeypatch.setattr(rans, "supports", lambda *_: request.param == "vectors")


def long_stream(weights: NDArray[np.float64], seed: int, tokens: int = 20_000) -> Stream:
    tables = FrequencyTables(quantised(weights))
    columns = np.arange(len(tables), dtype=np.int32)
    return drawn(tokens, columns, tables, np.random.default_rng(seed)), columns, tables


def entropy(symbols: NDArray[np.uint8]) -> float:
    """Bits of each column by its own counts, all together."""
    bits = 0.0
    for column in symbols.T:
        counts = np.bincount(column)
        p = counts[counts > 0] / len(column)
        bits -= float((p * np.log2(p)).sum()) * len(column)
    return bits


# Of stored data: these must never change.
GOLDEN_STATES = "40a70800ff4f0800fd5fa801ff0f0800"
GOLDEN_WORDS = "ff1fff17ff1fa7d7ff17ff1fa7d7ff17ff1fa7d7ff17ff1fa7d7ff17ff1fa7d7"


def test_these_bytes_are_the_format() -> None:
    f = np.zeros((2, SYMBOLS), np.uint16)
    f[0, [1, 2, 9]] = 4000, 95, 1
    f[1, [0, 255]] = 2048, 2048
    tables = FrequencyTables(f)
    symbols = np.array([[1, 0], [9, 255], [2, 0], [9, 0]], np.uint8)[np.arange(100) % 4]
    columns = np.array([0, 1], np.int32)
    payload = rans.encode(symbols, columns, tables)
    assert payload == plain_rans.encode(symbols, [0, 1], tables)
    assert payload[:16].hex() == GOLDEN_STATES
    assert payload[128:160].hex() == GOLDEN_WORDS
    np.testing.assert_array_equal(rans.decode(payload, 100, columns, tables), symbols)


@given(streams(max_tokens=70, max_columns=20))
@settings(max_examples=40)
def test_the_plain_coder_writes_and_reads_the_same_bytes(stream: Stream) -> None:
    symbols, columns, tables = stream
    payload = rans.encode(symbols, columns, tables)
    assert payload == plain_rans.encode(symbols, columns.tolist(), tables)
    read = plain_rans.decode(payload, len(symbols), columns.tolist(), tables)
    np.testing.assert_array_equal(read, symbols)


@given(streams(max_tokens=200, max_columns=70))
def test_what_is_encoded_is_decoded(stream: Stream) -> None:
    symbols, columns, tables = stream
    payload = rans.encode(symbols, columns, tables)
    decoded = rans.decode(memoryview(payload), len(symbols), columns, tables)
    assert decoded.dtype == np.uint8
    assert decoded.flags.c_contiguous
    np.testing.assert_array_equal(decoded, symbols)


@pytest.mark.parametrize("tokens", [1, 31, 32, 33, 64])
@pytest.mark.parametrize("width", [1, 15, 16, 17, 4000])
def test_all_sizes(tokens: int, width: int) -> None:
    tables = FrequencyTables(quantised(laplace(np.geomspace(0.3, 30, width))))
    columns = np.arange(width, dtype=np.int32)[::-1]
    symbols = drawn(tokens, columns, tables, np.random.default_rng(tokens * width))
    payload = rans.encode(symbols, columns, tables)
    np.testing.assert_array_equal(rans.decode(payload, tokens, columns, tables), symbols)


def test_symbols_may_lie_in_memory_in_any_way() -> None:
    symbols, columns, tables = long_stream(laplace(SIGMAS), 0, tokens=96)
    payload = rans.encode(symbols, columns, tables)
    turned = np.asfortranarray(symbols)
    fixed = np.frombuffer(symbols.tobytes(), np.uint8).reshape(symbols.shape)
    assert rans.encode(turned, columns, tables) == payload
    assert rans.encode(fixed, np.repeat(columns, 2)[::2], tables) == payload
    buffer = b"x" + payload  # not aligned
    decoded = rans.decode(memoryview(buffer)[1:], 96, columns, tables)
    np.testing.assert_array_equal(decoded, symbols)


def test_a_certain_symbol_takes_no_bits() -> None:
    f = np.zeros((1, SYMBOLS), np.uint16)
    f[0, 77] = 4096
    symbols = np.full((1000, 8), 77, np.uint8)
    columns = np.zeros(8, np.int32)
    payload = rans.encode(symbols, columns, FrequencyTables(f))
    assert len(payload) == 32 * 4
    decoded = rans.decode(payload, 1000, columns, FrequencyTables(f))
    np.testing.assert_array_equal(decoded, symbols)


@pytest.mark.parametrize("weights", [laplace, gauss])
@pytest.mark.parametrize("sigma", SIGMAS)
def test_size_is_the_entropy_and_that_of_constriction(weights: Weights, sigma: float) -> None:
    symbols, columns, tables = long_stream(weights(np.array([sigma])), 5, tokens=200_000)
    payload = rans.encode(symbols, columns, tables)
    constant = 8 * 32 * 4
    bits = 8 * len(payload)
    assert bits <= 1.01 * entropy(symbols) + constant

    f = tables.frequencies[0]
    alphabet = np.flatnonzero(f)
    model = constriction.stream.model.Categorical(
        (f[alphabet] / 4096).astype(np.float32), perfect=False
    )
    theirs = constriction.stream.stack.AnsCoder()
    ranks = np.searchsorted(alphabet, symbols[:, 0]).astype(np.int32)
    theirs.encode_reverse(ranks, model)
    assert abs(bits - theirs.num_bits()) <= 0.01 * theirs.num_bits() + constant
    read = constriction.stream.stack.AnsCoder(theirs.get_compressed()).decode(model, len(ranks))
    ours = rans.decode(payload, len(symbols), columns, tables)[:, 0]
    np.testing.assert_array_equal(alphabet[read], ours)


@given(
    streams(max_tokens=80, max_columns=20),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), max_size=5),
    st.integers(-6, 6),
)
@settings(max_examples=300)
def test_other_bytes_are_refused_or_decode_to_their_size(
    stream: Stream, changes: list[tuple[int, int]], longer: int
) -> None:
    symbols, columns, tables = stream
    payload = bytearray(rans.encode(symbols, columns, tables))
    for at, difference in changes:
        if payload:
            payload[at % len(payload)] ^= difference
    changed = bytes(payload) + bytes(longer) if longer >= 0 else bytes(payload[:longer])
    try:
        decoded = rans.decode(changed, len(symbols), columns, tables)
    except DamagedData:
        return
    assert decoded.shape == symbols.shape
    # A stream has one meaning, and a meaning one stream.
    assert rans.encode(decoded, columns, tables) == changed


@given(st.binary(max_size=400), st.integers(0, 70), st.integers(0, 20))
def test_any_bytes_are_refused_or_decode_to_their_size(
    payload: bytes, tokens: int, width: int
) -> None:
    tables = FrequencyTables(quantised(laplace(np.array([0.5, 4]))))
    columns = (np.arange(width) % 2).astype(np.int32)
    try:
        decoded = rans.decode(payload, tokens, columns, tables)
    except DamagedData:
        return
    assert decoded.shape == (tokens, width)


def damaged(
    payload: bytes, tokens: int, columns: NDArray[np.int32], tables: FrequencyTables
) -> str:
    with pytest.raises(DamagedData) as caught:
        rans.decode(payload, tokens, columns, tables)
    return str(caught.value)


def test_damage_is_told_apart() -> None:
    symbols, columns, tables = long_stream(laplace(SIGMAS), 3, tokens=64)
    payload = rans.encode(symbols, columns, tables)
    words = (len(payload) - 128) // 2

    def what(changed: bytes, tokens: int = 64) -> str:
        return damaged(changed, tokens, columns, tables)

    assert what(payload[:100]) == "rANS: 100 bytes are not 32 states and a whole number of words"
    assert "are not 32 states" in what(payload[:-1])
    assert what(payload[:128]) == "rANS: the words, 0, end before the symbols"
    assert what(payload[:-2]) == f"rANS: the words, {words - 1}, end before the symbols"
    assert what(payload + b"ab") == f"rANS: 1 of {words + 1} words are left over"
    low = payload[:8] + b"\xff\x7f\x00\x00" + payload[12:]
    assert what(low) == "rANS: lane 2 begins in state 32767, out of range"
    high = payload[:4] + b"\x00\x00\x00\x80" + payload[8:]
    assert what(high) == f"rANS: lane 1 begins in state {1 << 31}, out of range"
    changed = payload[:-2] + bytes([payload[-2] ^ 1]) + payload[-1:]
    assert "ends in state" in what(changed)
    unknown = np.full(7, len(tables), np.int32)
    assert damaged(payload, 64, unknown, tables) == "columns: column 0 wants table 7 of 7"
    assert "wants table -1" in damaged(payload, 64, columns - 1, tables)


def test_what_cannot_be_encoded_is_named() -> None:
    symbols, columns, tables = long_stream(laplace(SIGMAS), 4, tokens=70)
    assert tables.frequencies[1, 0] == 0
    for token in (0, 40, 69):
        wrong = symbols.copy()
        wrong[token, 1] = 0
        with pytest.raises(InvalidInput, match=f"0 at token {token}, column 1 has frequency 0"):
            rans.encode(wrong, columns, tables)
    with pytest.raises(InvalidInput, match="column 6 wants table 7 of 7"):
        rans.encode(symbols, columns + 1, tables)
    with pytest.raises(InvalidInput, match=r"expected uint8 \[tokens, 6\]"):
        rans.encode(symbols, columns[1:], tables)
    with pytest.raises(InvalidInput, match="got int16"):
        rans.encode(symbols.astype(np.int16), columns, tables)
