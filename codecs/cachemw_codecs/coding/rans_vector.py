"""The loops of `rans` for whole groups of 32 tokens, in vectors of 16 lanes.

numba does not make vectors of these loops by itself, so their bodies are written as LLVM
instructions. They are right on any little-endian processor, but only AVX-512 has the two that make
them fast (expand and compress): `worthwhile` says whether this one has. Steps as in dietgpu, where
a warp is what 16 lanes are here. Twice to three times as fast as `rans_numba`.

numba looks for changes in the file of a compiled function only: what these inline stands here too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any, cast

import numpy as np
from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from cachemw_codecs.coding.compiled import compiled
from cachemw_codecs.coding.rans_numba import LANES, LOWEST, NO_SYMBOL, TOO_SHORT

WIDTH = 16
"""Lanes of a vector, and columns that are transposed together."""

_BYTE, _INT, _LONG, _DOUBLE = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.DoubleType()
_MASK = ir.VectorType(ir.IntType(1), WIDTH)
_BYTES, _INTS = ir.VectorType(_BYTE, WIDTH), ir.VectorType(_INT, WIDTH)
_LONGS, _DOUBLES = ir.VectorType(_LONG, WIDTH), ir.VectorType(_DOUBLE, WIDTH)
_POINTERS = ir.VectorType(_BYTE.as_pointer(), WIDTH)


@cache
def worthwhile() -> bool:
    """Whether this processor runs `encode_groups` and `decode_groups` faster than plain loops."""
    features = binding.get_host_cpu_features()
    return sys.byteorder == "little" and all(features.get(f) for f in ("avx512f", "avx512bw"))


def _ints(value: int) -> ir.Constant:
    return ir.Constant(_INTS, [value] * WIDTH)


class _Emitter:
    """Writes LLVM instructions on vectors of 16 lanes."""

    def __init__(self, context: Any, builder: Any, array_types: Any) -> None:
        self.b, self._context, self._types = builder, context, array_types

    def data(self, number: int, array: Any) -> Any:
        """Return the address of argument `number`'s first item, as an integer."""
        made = self._context.make_array(self._types[number])(self._context, self.b, array)
        return self.b.ptrtoint(made.data, _LONG)

    def offset(self, base: Any, index: Any, size: int) -> Any:
        return self.b.add(base, self.b.mul(index, _LONG(size)))

    def load(self, address: Any, kind: Any) -> Any:
        loaded = self.b.load(self.b.inttoptr(address, kind.as_pointer()))
        loaded.align = 1
        return loaded

    def store(self, value: Any, address: Any) -> None:
        stored = self.b.store(value, self.b.inttoptr(address, value.type.as_pointer()))
        stored.align = 1

    def gather(self, base: Any, offsets: Any) -> Any:
        """Read 32 bits at each of 16 offsets, which are multiples of 4 bytes."""
        b = self.b
        none = ir.Constant(_LONGS, ir.Undefined)
        everywhere = b.shuffle_vector(b.insert_element(none, base, _INT(0)), none, _ints(0))
        addresses = b.inttoptr(b.add(everywhere, b.zext(offsets, _LONGS)), _POINTERS)
        everyone = ir.Constant(_MASK, [1] * WIDTH)
        return self._call(
            "llvm.masked.gather.v16i32.v16p0", _INTS, addresses, _INT(4), everyone, _ints(0)
        )

    def expand(self, address: Any, mask: Any) -> Any:
        """Read as many words as the mask has lanes, in order; 0 in the other lanes."""
        pointer = self.b.inttoptr(address, _INT.as_pointer())
        return self._call("llvm.masked.expandload.v16i32", _INTS, pointer, mask, _ints(0))

    def compress(self, value: Any, address: Any, mask: Any) -> None:
        """Write the mask's lanes, in order, without gaps."""
        pointer = self.b.inttoptr(address, _INT.as_pointer())
        self._call("llvm.masked.compressstore.v16i32", ir.VoidType(), value, pointer, mask)

    def count(self, mask: Any) -> Any:
        bits = self.b.bitcast(mask, ir.IntType(WIDTH))
        return self.b.zext(self._call("llvm.ctpop.i16", bits.type, bits), _LONG)

    def _call(self, name: str, result: Any, *arguments: Any) -> Any:
        kind = ir.FunctionType(result, [a.type for a in arguments])
        return self.b.call(self.b.module.declare_intrinsic(name, (), kind), list(arguments))


def _instruction(typed: Callable[..., Any]) -> Callable[..., int]:
    """`numba.extending.intrinsic`, typed as what compiled functions see of it."""
    return cast("Callable[..., int]", intrinsic(typed))


@_instruction
def _decode_lanes(
    _: Any,
    words: Any,
    place: Any,
    slots: Any,
    ranges: Any,
    table: Any,
    states: Any,
    tile: Any,
    row: Any,
) -> Any:
    """Decode a symbol of each lane into tile[row]; returns how many words were read."""
    kinds = (words, place, slots, ranges, table, states, tile, row)

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        v = _Emitter(context, builder, kinds)
        _, place, _, _, table, _, _, row = arguments
        b = builder
        words, slots, ranges, states, tile = (v.data(i, arguments[i]) for i in (0, 2, 3, 5, 6))
        next_word = start = v.offset(words, place, 4)
        for half in (0, WIDTH):
            address = b.add(states, _LONG(4 * half))
            x = v.load(address, _INTS)
            slot = b.and_(x, _ints(4095))
            # The symbol is a byte of the four that are read.
            four = v.gather(v.offset(slots, table, 4096), b.and_(slot, _ints(4092)))
            shift = b.shl(b.and_(slot, _ints(3)), _ints(3))
            symbol = b.and_(b.lshr(four, shift), _ints(255))
            v.store(b.trunc(symbol, _BYTES), b.add(v.offset(tile, row, LANES), _LONG(half)))
            entry = v.gather(v.offset(ranges, table, 1024), b.shl(symbol, _ints(2)))
            times = b.mul(b.lshr(entry, _ints(16)), b.lshr(x, _ints(12)))
            x = b.sub(b.add(times, slot), b.and_(entry, _ints(0xFFFF)))
            low = b.icmp_unsigned("<", x, _ints(LOWEST))
            longer = b.or_(b.shl(x, _ints(16)), v.expand(next_word, low))
            v.store(b.select(low, longer, x), address)
            next_word = v.offset(next_word, v.count(low), 4)
        return b.lshr(b.sub(next_word, start), _LONG(2))

    return types.int64(*kinds), generate


@_instruction
def _encode_lanes(
    _: Any, tile: Any, row: Any, ranges: Any, table: Any, states: Any, words: Any, place: Any
) -> Any:
    """Encode tile[row], a symbol of each lane; returns the new place, or `NO_SYMBOL`."""
    kinds = (tile, row, ranges, table, states, words, place)

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        v = _Emitter(context, builder, kinds)
        _, row, _, table, _, _, place = arguments
        b = builder
        tile, ranges, states, words = (v.data(i, arguments[i]) for i in (0, 2, 4, 5))
        missing = _LONG(0)
        for half in (WIDTH, 0):
            address = b.add(states, _LONG(4 * half))
            x = v.load(address, _INTS)
            symbol = b.zext(v.load(b.add(v.offset(tile, row, LANES), _LONG(half)), _BYTES), _INTS)
            entry = v.gather(v.offset(ranges, table, 1024), b.shl(symbol, _ints(2)))
            f = b.lshr(entry, _ints(16))
            none = b.icmp_unsigned("==", f, _ints(0))
            missing = b.add(missing, v.count(none))
            full = b.icmp_unsigned(">=", b.lshr(x, _ints(19)), f)
            place = b.sub(place, v.count(full))
            v.compress(b.and_(x, _ints(0xFFFF)), v.offset(words, place, 4), full)
            x = b.select(full, b.lshr(x, _ints(16)), x)
            # Exact: a quotient of integers below 2^31 is nearer to the next one than a double errs.
            f = b.select(none, _ints(1), f)
            times = b.fptosi(b.fdiv(b.sitofp(x, _DOUBLES), b.sitofp(f, _DOUBLES)), _INTS)
            rest = b.sub(x, b.mul(times, f))
            x = b.add(b.add(b.shl(times, _ints(12)), rest), b.and_(entry, _ints(0xFFFF)))
            v.store(x, address)
        return b.select(b.icmp_unsigned("==", missing, _LONG(0)), place, _LONG(NO_SYMBOL))

    return types.int64(*kinds), generate


@_instruction
def _transpose(
    _: Any,
    source: Any,
    source_at: Any,
    source_step: Any,
    target: Any,
    target_at: Any,
    target_step: Any,
) -> Any:
    """Transpose 16 rows of 16 bytes: where each array's first is, and from row to row."""
    kinds = (source, source_at, source_step, target, target_at, target_step)

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        v = _Emitter(context, builder, kinds)
        _, source_at, source_step, _, target_at, target_step = arguments
        address = builder.add(v.data(0, arguments[0]), source_at)
        rows = []
        for _row in range(WIDTH):
            rows.append(v.load(address, _BYTES))
            address = builder.add(address, source_step)
        halves = [[i // 2 + i % 2 * WIDTH + h for i in range(WIDTH)] for h in (0, WIDTH // 2)]
        low, high = (ir.Constant(_INTS, half) for half in halves)
        for _stage in range(4):  # each interleaves row i with row i + 8
            pairs = zip(rows[: WIDTH // 2], rows[WIDTH // 2 :], strict=True)
            rows = [builder.shuffle_vector(a, b, m) for a, b in pairs for m in (low, high)]
        address = builder.add(v.data(3, arguments[3]), target_at)
        for row in rows:
            v.store(row, address)
            address = builder.add(address, target_step)
        return _LONG(0)

    return types.int64(*kinds), generate


@compiled
def decode_groups(
    words: NDArray[np.uint32],
    place: int,
    columns: NDArray[np.int32],
    slots: NDArray[np.uint8],
    ranges: NDArray[np.uint32],
    states: NDArray[np.uint32],
    symbols: NDArray[np.uint8],
) -> int:
    """Like `rans_numba.decode_tokens`, for a multiple of 32 tokens."""
    tokens, width = symbols.shape
    count = words.size - LANES
    tile = np.empty((WIDTH, LANES), np.uint8)
    for first in range(0, tokens, LANES):
        for begin in range(0, width, WIDTH):
            n = min(WIDTH, width - begin)
            for i in range(n):
                if place > count:
                    return TOO_SHORT
                table = np.int64(columns[begin + i])
                place += _decode_lanes(words, place, slots, ranges, table, states, tile, i)
            if n == WIDTH:
                for lane in (0, WIDTH):
                    at = (first + lane) * width + begin
                    _transpose(tile, lane, LANES, symbols, at, width)
            else:
                for lane in range(LANES):
                    for i in range(n):
                        symbols[first + lane, begin + i] = tile[i, lane]
    return place if place <= count else TOO_SHORT


@compiled
def encode_groups(
    symbols: NDArray[np.uint8],
    columns: NDArray[np.int32],
    ranges: NDArray[np.uint32],
    states: NDArray[np.uint32],
    words: NDArray[np.uint32],
    place: int,
) -> int:
    """Like `rans_numba.encode_tokens`, for a multiple of 32 tokens."""
    tokens, width = symbols.shape
    tile = np.empty((WIDTH, LANES), np.uint8)
    for first in range(tokens - LANES, -1, -LANES):
        for begin in range((width - 1) // WIDTH * WIDTH, -1, -WIDTH):
            n = min(WIDTH, width - begin)
            if n == WIDTH:
                for lane in (0, WIDTH):
                    at = (first + lane) * width + begin
                    _transpose(symbols, at, width, tile, lane, LANES)
            else:
                for lane in range(LANES):
                    for i in range(n):
                        tile[i, lane] = symbols[first + lane, begin + i]
            for i in range(n - 1, -1, -1):
                table = np.int64(columns[begin + i])
                place = _encode_lanes(tile, i, ranges, table, states, words, place)
                if place < 0:
                    return NO_SYMBOL
    return place
