"""The loops of `rans` in vectors of 16 lanes.

Twice to five times as fast as `rans_numba`. Steps as in dietgpu, where a warp is what two vectors
are here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numpy.typing import NDArray

from cachemw_codecs.coding.compiled import compiled
from cachemw_codecs.coding.lookups import Lookups
from cachemw_codecs.coding.rans_numba import LANES, LOWEST, NO_SYMBOL, TOO_SHORT
from cachemw_codecs.coding.vectors import (
    BYTES,
    DOUBLES,
    INT,
    INTS,
    LONG,
    WIDTH,
    Emitter,
    instruction,
    ints,
    transpose,
)

STRIDE = 4
"""Symbols compared with before it is seen whether there are more."""


def _active(v: Emitter, lanes: Any, half: int) -> Any:
    """Emit the mask of lanes that do not rest."""
    numbers = ir.Constant(INTS, list(range(half, half + WIDTH)))
    return v.b.icmp_unsigned("<", numbers, v.spread(v.b.trunc(lanes, INT)))


def _renormalised(v: Emitter, x: Any, address: Any, active: Any, next_word: Any) -> Any:
    """Emit the end of a step of 16 lanes: low ones read a word. Returns where the next word is."""
    b = v.b
    low = b.and_(b.icmp_unsigned("<", x, ints(LOWEST)), active)
    longer = b.or_(b.shl(x, ints(16)), v.expand(next_word, low))
    resting = v.load(address, INTS)
    v.store(b.select(active, b.select(low, longer, x), resting), address)
    return v.offset(next_word, v.count(low), 4)


@instruction
def _look_up(_: Any, words: Any, slots: Any, ranges: Any, states: Any, tile: Any, at: Any) -> Any:
    """Decode a symbol of each lane into a row of the tile; returns how many words were read.

    `at`: place in words, table, lanes, row.
    """
    kinds = (words, slots, ranges, states, tile, at)

    def generate(context: Any, b: Any, _signature: Any, arguments: Any) -> Any:
        v = Emitter(context, b, kinds)
        place, table, lanes, row = v.items(arguments[5])
        words, slots, ranges, states, tile = (v.data(i, arguments[i]) for i in range(5))
        slots, ranges = v.offset(slots, table, 4096), v.offset(ranges, table, 1024)
        row = v.offset(tile, row, LANES)
        next_word = start = v.offset(words, place, 4)
        for half in (0, WIDTH):
            address = b.add(states, LONG(4 * half))
            x = v.load(address, INTS)
            slot = b.and_(x, ints(4095))
            # The symbol is a byte of the four that are read.
            four = v.gather(slots, b.and_(slot, ints(4092)))
            symbol = b.and_(b.lshr(four, b.shl(b.and_(slot, ints(3)), ints(3))), ints(255))
            v.store(b.trunc(symbol, BYTES), b.add(row, LONG(half)))
            entry = v.gather(ranges, b.shl(symbol, ints(2)))
            times = b.mul(b.lshr(entry, ints(16)), b.lshr(x, ints(12)))
            after = b.sub(b.add(times, slot), b.and_(entry, ints(0xFFFF)))
            next_word = _renormalised(v, after, address, _active(v, lanes, half), next_word)
        return b.lshr(b.sub(next_word, start), LONG(2))

    return types.int64(*kinds), generate


@instruction
def _look_for(_: Any, words: Any, entries: Any, states: Any, tile: Any, at: Any) -> Any:
    """Decode a symbol of each lane into a row of the tile; returns how many words were read.

    `at`: place in words, table, lanes, row, length of the table.
    """
    kinds = (words, entries, states, tile, at)

    def generate(context: Any, b: Any, _signature: Any, arguments: Any) -> Any:
        v = Emitter(context, b, kinds)
        place, table, lanes, row, length = v.items(arguments[4])
        words, entries, states, tile = (v.data(i, arguments[i]) for i in range(4))
        entries, row = v.offset(entries, table, 1024), v.offset(tile, row, LANES)
        addresses = [b.add(states, LONG(4 * half)) for half in (0, WIDTH)]
        before = [v.load(address, INTS) for address in addresses]
        found = _last_up_to(v, before, entries, v.offset(entries, length, 4))
        next_word = start = v.offset(words, place, 4)
        for half, address, x, entry in zip((0, WIDTH), addresses, before, found, strict=True):
            v.store(b.trunc(entry, BYTES), b.add(row, LONG(half)))
            times = b.lshr(x, ints(12))
            more = b.mul(b.and_(b.lshr(entry, ints(8)), ints(4095)), times)
            rest = b.sub(b.and_(x, ints(4095)), b.lshr(entry, ints(20)))
            after = b.add(b.add(more, times), rest)
            next_word = _renormalised(v, after, address, _active(v, lanes, half), next_word)
        return b.lshr(b.sub(next_word, start), LONG(2))

    return types.int64(*kinds), generate


def _last_up_to(v: Emitter, states: list[Any], first: Any, end: Any) -> list[Any]:
    """Emit a loop over a table's entries; returns each lane's last one that starts by its slot."""
    b = v.b
    # Entries are ordered by their highest bits, the start. All ones below: equal starts count.
    slots = [b.or_(b.shl(x, ints(20)), ints(0xFFFFF)) for x in states]
    before, loop, after = b.block, b.append_basic_block("entries"), b.append_basic_block("found")
    b.branch(loop)
    b.position_at_end(loop)
    at = b.phi(LONG)
    at.add_incoming(first, before)
    founds = [b.phi(INTS) for _ in slots]
    now = list(founds)
    for i in range(STRIDE):
        entry = v.spread(v.load(b.add(at, LONG(4 * i)), INT))
        now = [
            b.select(b.icmp_unsigned("<=", entry, slot), entry, found)
            for slot, found in zip(slots, now, strict=True)
        ]
    following = b.add(at, LONG(4 * STRIDE))
    at.add_incoming(following, loop)
    for found, latest in zip(founds, now, strict=True):
        found.add_incoming(ints(0), before)
        found.add_incoming(latest, loop)
    b.cbranch(b.icmp_unsigned("<", following, end), loop, after)
    b.position_at_end(after)
    return now


@instruction
def _encode_lanes(_: Any, tile: Any, ranges: Any, states: Any, words: Any, at: Any) -> Any:
    """Encode a row of the tile, a symbol of each lane; returns the new place, or `NO_SYMBOL`.

    `at`: place in words, table, lanes, row.
    """
    kinds = (tile, ranges, states, words, at)

    def generate(context: Any, b: Any, _signature: Any, arguments: Any) -> Any:
        v = Emitter(context, b, kinds)
        place, table, lanes, row = v.items(arguments[4])
        tile, ranges, states, words = (v.data(i, arguments[i]) for i in range(4))
        ranges, row = v.offset(ranges, table, 1024), v.offset(tile, row, LANES)
        missing = LONG(0)
        for half in (WIDTH, 0):
            active = _active(v, lanes, half)
            address = b.add(states, LONG(4 * half))
            resting = v.load(address, INTS)
            symbol = b.zext(v.load(b.add(row, LONG(half)), BYTES), INTS)
            entry = v.gather(ranges, b.shl(symbol, ints(2)))
            f = b.lshr(entry, ints(16))
            none = b.icmp_unsigned("==", f, ints(0))
            missing = b.add(missing, v.count(b.and_(none, active)))
            full = b.and_(b.icmp_unsigned(">=", b.lshr(resting, ints(19)), f), active)
            place = b.sub(place, v.count(full))
            v.compress(b.and_(resting, ints(0xFFFF)), v.offset(words, place, 4), full)
            x = b.select(full, b.lshr(resting, ints(16)), resting)
            # Exact: a quotient of integers below 2^31 is nearer to the next one than a double errs.
            f = b.select(none, ints(1), f)
            times = b.fptosi(b.fdiv(b.sitofp(x, DOUBLES), b.sitofp(f, DOUBLES)), INTS)
            rest = b.sub(x, b.mul(times, f))
            x = b.add(b.add(b.shl(times, ints(12)), rest), b.and_(entry, ints(0xFFFF)))
            v.store(b.select(active, x, resting), address)
        return b.select(b.icmp_unsigned("==", missing, LONG(0)), place, LONG(NO_SYMBOL))

    return types.int64(*kinds), generate


@compiled
def decode_tokens(
    words: NDArray[np.uint32],
    columns: NDArray[np.int32],
    lookups: Lookups,
    states: NDArray[np.uint32],
    symbols: NDArray[np.uint8],
) -> int:
    """Like `rans_numba.decode_tokens`. `states` are 32 however few tokens there are."""
    lengths, entries, slots, ranges = lookups
    tokens, width = symbols.shape
    count = words.size - LANES
    tile = np.empty((WIDTH, LANES), np.uint8)
    place = 0
    for first in range(0, tokens, LANES):
        lanes = min(LANES, tokens - first)
        for begin in range(0, width, WIDTH):
            n = min(WIDTH, width - begin)
            for i in range(n):
                if place > count:
                    return TOO_SHORT
                # Rows of arrays are named by number: numba would count references to views.
                table = np.int64(columns[begin + i])
                length = np.int64(lengths[table])
                if length > 0:
                    at = (place, table, lanes, i, length)
                    place += _look_for(words, entries, states, tile, at)
                else:
                    here = (place, table, lanes, i)
                    place += _look_up(words, slots, ranges, states, tile, here)
            if n == WIDTH and lanes == LANES:
                for lane in (0, WIDTH):
                    corner = (first + lane) * width + begin
                    transpose(tile, lane, LANES, symbols, corner, width)
            else:
                for lane in range(lanes):
                    for i in range(n):
                        symbols[first + lane, begin + i] = tile[i, lane]
    return place if place <= count else TOO_SHORT


@compiled
def encode_tokens(
    symbols: NDArray[np.uint8],
    columns: NDArray[np.int32],
    ranges: NDArray[np.uint32],
    states: NDArray[np.uint32],
    words: NDArray[np.uint32],
) -> int:
    """Like `rans_numba.encode_tokens`. `states` are 32 however few tokens there are."""
    tokens, width = symbols.shape
    tile = np.zeros((WIDTH, LANES), np.uint8)
    place = words.size
    for first in range((tokens - 1) // LANES * LANES, -1, -LANES):
        lanes = min(LANES, tokens - first)
        for begin in range((width - 1) // WIDTH * WIDTH, -1, -WIDTH):
            n = min(WIDTH, width - begin)
            if n == WIDTH and lanes == LANES:
                for lane in (0, WIDTH):
                    corner = (first + lane) * width + begin
                    transpose(symbols, corner, width, tile, lane, LANES)
            else:
                for lane in range(lanes):
                    for i in range(n):
                        tile[i, lane] = symbols[first + lane, begin + i]
            for i in range(n - 1, -1, -1):
                at = (place, np.int64(columns[begin + i]), lanes, i)
                place = _encode_lanes(tile, ranges, states, words, at)
                if place < 0:
                    return NO_SYMBOL
    return place
