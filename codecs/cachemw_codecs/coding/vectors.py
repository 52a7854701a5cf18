"""Vectors of 16 lanes for functions that numba compiles.

numba does not make vectors of an entropy coder's loops by itself, so their bodies are written as
LLVM instructions. They are right on any little-endian processor. AVX-512 has all of them; elsewhere
LLVM takes some apart, expand and compress above all, and plain loops may be faster.

numba looks for changes in a compiled function's own file only. After a change here, touch the files
that inline it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any, cast

from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic

WIDTH = 16
"""Lanes of a vector, and columns that are transposed together."""
BYTE, INT, LONG, DOUBLE = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.DoubleType()
BYTES, INTS = ir.VectorType(BYTE, WIDTH), ir.VectorType(INT, WIDTH)
LONGS, DOUBLES = ir.VectorType(LONG, WIDTH), ir.VectorType(DOUBLE, WIDTH)
_MASK = ir.VectorType(ir.IntType(1), WIDTH)
_POINTERS = ir.VectorType(BYTE.as_pointer(), WIDTH)


@cache
def supports(*features: str) -> bool:
    """Whether this processor has these features, by LLVM's names."""
    present = binding.get_host_cpu_features()
    return sys.byteorder == "little" and all(present.get(feature) for feature in features)


def ints(value: int) -> Any:
    """Return a constant for all lanes."""
    return ir.Constant(INTS, [value] * WIDTH)


class Emitter:
    """Writes LLVM instructions on vectors of 16 lanes."""

    def __init__(self, context: Any, builder: Any, array_types: Any) -> None:
        self.b, self._context, self._types = builder, context, array_types

    def data(self, number: int, array: Any) -> Any:
        """Return the address of argument `number`'s first item, as an integer."""
        made = self._context.make_array(self._types[number])(self._context, self.b, array)
        return self.b.ptrtoint(made.data, LONG)

    def items(self, made: Any) -> list[Any]:
        """Return the items of a tuple."""
        return [self.b.extract_value(made, i) for i in range(len(made.type.elements))]

    def offset(self, base: Any, index: Any, size: int) -> Any:
        """Return the address of item `index`."""
        return self.b.add(base, self.b.mul(index, LONG(size)))

    def load(self, address: Any, kind: Any) -> Any:
        """Read a value or a vector, aligned or not."""
        loaded = self.b.load(self.b.inttoptr(address, kind.as_pointer()))
        loaded.align = 1
        return loaded

    def store(self, value: Any, address: Any) -> None:
        """Write a value or a vector, aligned or not."""
        stored = self.b.store(value, self.b.inttoptr(address, value.type.as_pointer()))
        stored.align = 1

    def spread(self, value: Any) -> Any:
        """Return a vector with `value` in all lanes."""
        none = ir.Constant(ir.VectorType(value.type, WIDTH), ir.Undefined)
        return self.b.shuffle_vector(self.b.insert_element(none, value, INT(0)), none, ints(0))

    def gather(self, base: Any, offsets: Any) -> Any:
        """Read 32 bits at each of 16 offsets, which are multiples of 4 bytes."""
        addresses = self.b.add(self.spread(base), self.b.zext(offsets, LONGS))
        addresses = self.b.inttoptr(addresses, _POINTERS)
        everyone = ir.Constant(_MASK, [1] * WIDTH)
        return self._call(
            "llvm.masked.gather.v16i32.v16p0", INTS, addresses, INT(4), everyone, ints(0)
        )

    def expand(self, address: Any, mask: Any) -> Any:
        """Read as many words as the mask has lanes, in order; 0 in the other lanes."""
        pointer = self.b.inttoptr(address, INT.as_pointer())
        return self._call("llvm.masked.expandload.v16i32", INTS, pointer, mask, ints(0))

    def compress(self, value: Any, address: Any, mask: Any) -> None:
        """Write the mask's lanes, in order, without gaps."""
        pointer = self.b.inttoptr(address, INT.as_pointer())
        self._call("llvm.masked.compressstore.v16i32", ir.VoidType(), value, pointer, mask)

    def count(self, mask: Any) -> Any:
        """Return how many lanes the mask has."""
        bits = self.b.bitcast(mask, ir.IntType(WIDTH))
        return self.b.zext(self._call("llvm.ctpop.i16", bits.type, bits), LONG)

    def _call(self, name: str, result: Any, *arguments: Any) -> Any:
        kind = ir.FunctionType(result, [a.type for a in arguments])
        return self.b.call(self.b.module.declare_intrinsic(name, (), kind), list(arguments))


def instruction(typed: Callable[..., Any]) -> Callable[..., int]:
    """`numba.extending.intrinsic`, typed as what compiled functions see of it."""
    return cast("Callable[..., int]", intrinsic(typed))


@instruction
def transpose(
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
        v = Emitter(context, builder, kinds)
        _, source_at, source_step, _, target_at, target_step = arguments
        address = builder.add(v.data(0, arguments[0]), source_at)
        rows = []
        for _row in range(WIDTH):
            rows.append(v.load(address, BYTES))
            address = builder.add(address, source_step)
        halves = [[i // 2 + i % 2 * WIDTH + h for i in range(WIDTH)] for h in (0, WIDTH // 2)]
        low, high = (ir.Constant(INTS, half) for half in halves)
        for _stage in range(4):  # each interleaves row i with row i + 8
            pairs = zip(rows[: WIDTH // 2], rows[WIDTH // 2 :], strict=True)
            rows = [builder.shuffle_vector(a, b, m) for a, b in pairs for m in (low, high)]
        address = builder.add(v.data(3, arguments[3]), target_at)
        for row in rows:
            v.store(row, address)
            address = builder.add(address, target_step)
        return LONG(0)

    return types.int64(*kinds), generate
