"""The coders that are compared, behind one pair of functions."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from typing import Any

import constriction  # type: ignore[import-untyped]
import numpy as np
import zstandard
from cachemw_codecs.coding import rans
from cachemw_codecs.coding.rans_numba import LANES, LOWEST, decode_tokens, encode_tokens
from numpy.typing import NDArray

from loadtests.kv.entropy.streams import Stream

Symbols = NDArray[np.uint8]


class Coder(ABC):
    """Encodes the symbols of one stream, whose tables it may prepare beforehand."""

    name: str

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    @abstractmethod
    def encode(self) -> Any:
        """Encode the stream."""

    @abstractmethod
    def decode(self, encoded: Any) -> Symbols:
        """Return the symbols, in any order of memory."""

    def size(self, encoded: Any) -> int:
        """Return how many bytes `encoded` has."""
        return len(encoded)


class Rans(Coder):
    """What the package does on this processor."""

    name = "ours"

    def encode(self) -> bytes:
        """Encode the stream."""
        return rans.encode(self.stream.symbols, self.stream.columns, self.stream.tables)

    def decode(self, encoded: bytes) -> Symbols:
        """Return the symbols."""
        tokens = len(self.stream.symbols)
        return rans.decode(encoded, tokens, self.stream.columns, self.stream.tables)


class PlainRans(Coder):
    """What the package does on a processor without vectors: the same words, left where they are."""

    name = "ours, plain loops"

    def encode(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Return states and words, with room after them as `decode_tokens` wants it."""
        s = self.stream
        states = np.full(LANES, LOWEST, np.uint32)
        words = np.empty(s.symbols.size + 1 + LANES, np.uint32)
        begin = encode_tokens(s.symbols, s.columns, s.tables.ranges, states, words[:-LANES])
        return states, words[begin:]

    def decode(self, encoded: tuple[NDArray[np.uint32], NDArray[np.uint32]]) -> Symbols:
        """Return the symbols."""
        s, (states, words) = self.stream, encoded
        symbols = np.empty_like(s.symbols)
        model = (s.columns, s.tables.slots, s.tables.ranges, states.copy())
        decode_tokens(words, *model, symbols)
        return symbols

    def size(self, encoded: tuple[NDArray[np.uint32], NDArray[np.uint32]]) -> int:
        """Return how many bytes they have in a file."""
        states, words = encoded
        return 4 * len(states) + 2 * (len(words) - LANES)


class Constriction(Coder):
    """constriction's ANS coder with the same tables, a call for each of them."""

    name = "constriction"

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        # Columns of one table lie one after another, as ranks in the table's alphabet.
        self._parts = []
        for number, table in enumerate(stream.tables.frequencies):
            alphabet = np.flatnonzero(table)
            symbols = stream.symbols[:, stream.columns == number].ravel()
            ranks = np.searchsorted(alphabet, symbols).astype(np.int32)
            model = constriction.stream.model.Categorical(
                (table[alphabet] / 4096).astype(np.float32), perfect=False
            )
            self._parts.append((ranks, model, alphabet.astype(np.uint8)))

    def encode(self) -> NDArray[np.uint32]:
        """Encode the stream; a stack, so backwards."""
        coder = constriction.stream.stack.AnsCoder()
        for ranks, model, _ in reversed(self._parts):
            coder.encode_reverse(ranks, model)
        compressed: NDArray[np.uint32] = coder.get_compressed()
        return compressed

    def decode(self, encoded: NDArray[np.uint32]) -> Symbols:
        """Return the symbols, table by table."""
        coder = constriction.stream.stack.AnsCoder(encoded)
        return np.concatenate(
            [alphabet[coder.decode(model, len(ranks))] for ranks, model, alphabet in self._parts]
        )

    def size(self, encoded: NDArray[np.uint32]) -> int:
        """Return how many bytes it has."""
        return encoded.nbytes


class Zstd(Coder):
    """zstd at level 1, column after column: better for it than token after token."""

    name = "zstd -1"

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self._bytes = stream.symbols.T.tobytes()
        self._compressor = zstandard.ZstdCompressor(level=1)
        self._decompressor = zstandard.ZstdDecompressor()

    def encode(self) -> bytes:
        """Encode the stream."""
        return self._compressor.compress(self._bytes)

    def decode(self, encoded: bytes) -> Symbols:
        """Return the symbols, column by column."""
        return np.frombuffer(self._decompressor.decompress(encoded), np.uint8)


class Zlib(Coder):
    """zlib at its usual level, column after column."""

    name = "zlib -6"

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self._bytes = stream.symbols.T.tobytes()

    def encode(self) -> bytes:
        """Encode the stream."""
        return zlib.compress(self._bytes)

    def decode(self, encoded: bytes) -> Symbols:
        """Return the symbols, column by column."""
        return np.frombuffer(zlib.decompress(encoded), np.uint8)


CODERS: tuple[type[Coder], ...] = (Rans, PlainRans, Constriction, Zstd, Zlib)
