"""What is known of every entry, in columns: numbers from 0 name entries and are used again.

Own design, as `cachemw.index.entries`: no object an entry but its key, and growth by blocks, so
that nothing is ever copied. About 200 bytes an entry with its key.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cachemw.index.entries import KeyMap

BLOCK = 4096
#: The category of a number that is free.
FREE = 0xFFFF
_MOST = 0xFFFF_FFFF


class Block:
    """Columns of `BLOCK` entries: arrays for one element (fast), numpy views of them for all.

    `saved` is not-a-number where it is not known; `touched` is in turnovers, `expires` in Unix
    seconds, `scan` the number of the last fill that met the entry.
    """

    __slots__ = (
        "categories",
        "category",
        "expires",
        "expiry",
        "frequencies",
        "frequency",
        "keys",
        "saved",
        "savings",
        "scan",
        "scans",
        "size",
        "sizes",
        "touched",
        "touches",
    )

    def __init__(self) -> None:
        self.keys: NDArray[Any] = np.full(BLOCK, None, dtype=object)
        self.category = array("H", [FREE]) * BLOCK
        self.scan = array("B", [0]) * BLOCK
        self.size = array("I", [0]) * BLOCK
        self.frequency = array("f", [0.0]) * BLOCK
        self.saved = array("f", [0.0]) * BLOCK
        self.touched = array("d", [0.0]) * BLOCK
        self.expires = array("d", [inf]) * BLOCK
        # Nothing is appended to an array that a view is of.
        self.categories = np.frombuffer(self.category, dtype=np.uint16)
        self.scans = np.frombuffer(self.scan, dtype=np.uint8)
        self.sizes = np.frombuffer(self.size, dtype=np.uint32)
        self.frequencies = np.frombuffer(self.frequency, dtype=np.float32)
        self.savings = np.frombuffer(self.saved, dtype=np.float32)
        self.touches = np.frombuffer(self.touched, dtype=np.float64)
        self.expiry = np.frombuffer(self.expires, dtype=np.float64)


class Columns:
    """Blocks, and where the entry of each key is in them."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._numbers = KeyMap()
        self._free = array("i")
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def find(self, key: bytes) -> tuple[Block, int] | None:
        """Return the block of a key's entry and its place there."""
        number = self._numbers.get(key)
        return None if number is None else (self._blocks[number // BLOCK], number % BLOCK)

    def add(self, key: bytes) -> tuple[Block, int]:
        """Make room for a key that has no entry; the caller fills it, its category at once."""
        if not self._free:
            self._grow()
        number = self._free.pop()
        self._numbers.put(key, number)
        self._count += 1
        block, place = self._blocks[number // BLOCK], number % BLOCK
        block.keys[place] = key
        return block, place

    def drop(self, key: bytes) -> None:
        """Free the entry of a key that has one."""
        number = self._numbers.get(key)
        if number is None:
            raise KeyError(key)
        self._numbers.drop(key)
        self._count -= 1
        block, place = self._blocks[number // BLOCK], number % BLOCK
        block.keys[place] = None
        block.category[place] = FREE
        block.expires[place] = inf
        self._free.append(number)

    def blocks(self) -> Iterator[Block]:
        """Yield all blocks; those that are made meanwhile come too."""
        yield from self._blocks

    def _grow(self) -> None:
        first = len(self._blocks) * BLOCK
        self._blocks.append(Block())
        # The lowest number is taken first.
        self._free.extend(range(first + BLOCK - 1, first - 1, -1))


def stored_size(size: float) -> int:
    """Return a size as a column can hold it."""
    return int(min(max(size, 0), _MOST))
