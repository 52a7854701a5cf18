"""How decoding in vectors finds the symbol that a slot belongs to; own design.

Table by table, in one of two ways:

* looked up: 4 KiB a table, so that beyond a hundred tables the caches are too small;
* looked for, by comparing with the start of one symbol after another: a table takes 4 bytes for
  each symbol that it has, and no lane waits for memory.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cachemw_codecs.coding.frequencies import TOTAL, FrequencyTables

CACHED_TABLES = 128
"""So many can be looked up in without leaving the second cache."""
SHORT = 24
"""So many symbols are compared with sooner than one is looked up."""


class Lookups(NamedTuple):
    """What decoding looks up, by table."""

    lengths: NDArray[np.int32]
    """[tables]: how many entries to compare with; 0 to look up in `slots`."""
    entries: NDArray[np.uint32]
    """[tables, 256]: `FrequencyTables.entries`."""
    slots: NDArray[np.uint8]
    """[tables, 4096], or nothing where no column needs it."""
    ranges: NDArray[np.uint32]

    @classmethod
    def of(cls, tables: FrequencyTables, columns: NDArray[np.int32]) -> Lookups:
        """Choose how to find each table's symbols. `slots` are not made where nobody needs them."""
        few = len(tables) <= CACHED_TABLES
        lengths = np.where(few & (tables.lengths > SHORT), np.int32(0), tables.lengths)
        slots = tables.slots if (lengths[columns] == 0).any() else np.zeros((0, TOTAL), np.uint8)
        return cls(lengths, tables.entries, slots, tables.ranges)
