"""How often entries were used that have gone, for when their answers are made again.

Own design, after the ghost lists of ARC (Megiddo and Modha 2003): a table of fixed size in which a
newer ghost takes the slot of an older one. Without it a small cache forgets what is popular as fast
as it evicts (loadtests/reports/eviction.md).
"""

from __future__ import annotations

from array import array

_TAG = 0xFFFF_FFFF


class Ghosts:
    """At least `slots` slots of 12 bytes, by 64-bit hashes.

    One look in 2**32 finds another entry's ghost, and takes an entry for more popular than it is.
    """

    def __init__(self, slots: int) -> None:
        self._bits = max(1, (slots - 1).bit_length())
        count = 1 << self._bits
        self._tags = array("I", bytes(4 * count))
        self._frequencies = array("f", bytes(4 * count))
        self._touched = array("f", bytes(4 * count))

    def remember(self, name: int, frequency: float, touched: float) -> None:
        """Keep what is known of an entry that goes."""
        slot, tag = self._place(name)
        self._tags[slot] = tag
        self._frequencies[slot] = frequency
        self._touched[slot] = touched

    def recall(self, name: int) -> tuple[float, float]:
        """Return an entry's frequency and the time it is of; nothing where it is not known."""
        slot, tag = self._place(name)
        if self._tags[slot] != tag:
            return 0.0, 0.0
        return self._frequencies[slot], self._touched[slot]

    def _place(self, name: int) -> tuple[int, int]:
        return name & ((1 << self._bits) - 1), (name >> self._bits) & _TAG
