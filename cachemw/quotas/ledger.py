"""What is known of every stored entry: whose it is, what it weighs, how often it is used.

Own design. Each process keeps one for itself: its own puts and hits enter it at once, what others
put and removed with the change log (`follow.py`). The hits of others are not known here. Where
workers share a port each sees its part of the same traffic, which ranks entries alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import inf, nan
from typing import Any

import numpy as np
from cachemw_policies.eviction import Floats, decayed, used, worth
from cachemw_policies.quota import Amount
from numpy.typing import NDArray

from cachemw.quotas.columns import FREE, Block, Columns, stored_size
from cachemw.quotas.ghosts import Ghosts
from cachemw.stores.base import EntryInfo

#: What a hit saves where nothing is known of any entry of the category: all are worth the same.
_UNKNOWN_SECONDS = 1.0
_SCANS = 256
#: Keys of hits that are noted before they are entered, which takes about 1 ms for all.
_NOTED = 512


@dataclass(slots=True)
class _Totals:
    """Of one category. `known` entries save `saved` seconds a hit in sum."""

    entries: int = 0
    size: int = 0
    known: int = 0
    saved: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidates:
    """Some entries of a category: keys, values and sizes in bytes, shapes [entries]."""

    keys: NDArray[Any]
    values: Floats
    sizes: Floats


class Ledger:
    """The entries of a store of `capacity`, whose turnover is the clock of all frequencies.

    Not safe for threads: everything is called on the event loop. `on_full` is called with every
    put past `alarm` (see `watch`).
    """

    def __init__(self, capacity: Amount, ghosts: Ghosts) -> None:
        self.capacity = capacity
        self._ghosts = ghosts
        self._columns = Columns()
        self._names: list[str] = []
        self._numbers: dict[str, int] = {}
        self._totals: list[_Totals] = []
        self._size = 0
        self._clock = 0.0
        self._scan = 0
        self._hits: dict[bytes, int] = {}
        self._alarm = Amount(inf, inf)
        self._on_full: Callable[[], None] = _nothing

    def __len__(self) -> int:
        return len(self._columns)

    @property
    def held(self) -> Amount:
        """All entries and their bytes."""
        return Amount(len(self._columns), self._size)

    def totals(self) -> dict[str, Amount]:
        """Return what each category holds, by name; those that hold nothing are left out."""
        pairs = zip(self._names, self._totals, strict=True)
        return {name: Amount(t.entries, t.size) for name, t in pairs if t.entries}

    def watch(self, alarm: Amount, on_full: Callable[[], None]) -> None:
        """Have `on_full` called with every put that leaves more than `alarm`."""
        self._alarm, self._on_full = alarm, on_full

    def put(self, info: EntryInfo, saved: float | None = None) -> None:
        """Note what was stored; a hit on it saves `saved` seconds, where that is known.

        What is known already and not said anew stays: the change log tells of one's own puts too,
        with their exact size, and not what they save. Storing an entry again is no use of it.
        """
        found = self._columns.find(info.key)
        if found is None:
            block, place = self._columns.add(info.key)
            self._advance(info.size)
            frequency, touched = self._ghosts.recall(hash(info.key))
            block.frequency[place] = used(frequency, touched, self._clock)
            block.touched[place] = self._clock
            block.saved[place] = nan
        else:
            block, place = found
            self._count(block, place, -1)
        block.category[place] = self._number(info.category)
        block.size[place] = stored_size(info.size)
        block.expires[place] = info.expires_at
        block.scan[place] = self._scan
        if saved is not None:
            block.saved[place] = saved
        self._count(block, place, 1)
        if self._size > self._alarm.size or len(self._columns) > self._alarm.entries:
            self._on_full()

    def hit(self, key: bytes) -> None:
        """Note that an entry was used. As little as can be: this runs with every hit."""
        hits = self._hits
        hits[key] = hits.get(key, 0) + 1
        if len(hits) == _NOTED:
            self._settle()

    def learn(self, key: bytes, saved: float) -> None:
        """Note what a hit on an entry saves, in seconds: of an answer that another process made."""
        found = self._columns.find(key)
        if found is not None:
            self._count(*found, -1)
            found[0].saved[found[1]] = saved
            self._count(*found, 1)

    def removed(self, keys: Iterable[bytes]) -> None:
        """Forget entries; how often they were used is remembered for a while."""
        self._settle()
        for key in keys:
            found = self._columns.find(key)
            if found is not None:
                block, place = found
                self._count(block, place, -1)
                self._ghosts.remember(hash(key), block.frequency[place], block.touched[place])
                self._columns.drop(key)

    def expired(self, now: float, most: int) -> int:
        """Forget up to `most` entries that have ended; returns how many did."""
        gone = 0
        for block in self._columns.blocks():
            ended = np.flatnonzero(block.expiry <= now)[: most - gone]
            if len(ended):
                self.removed(block.keys[ended].tolist())
                gone += len(ended)
            if gone == most:
                break
        return gone

    def begin_scan(self) -> None:
        """From here on all entries of the store are told, or told to be gone."""
        self._scan = (self._scan + 1) % _SCANS

    def untold(self) -> Iterator[list[bytes]]:
        """Yield, block by block, the keys of entries not told since `begin_scan`."""
        for block in self._columns.blocks():
            missed = (block.categories != FREE) & (block.scans != self._scan)
            yield block.keys[missed].tolist()

    def candidates(self, category: str) -> Iterator[Candidates]:
        """Yield a category's entries and their values, block by block; one takes about 0.1 ms."""
        self._settle()
        number = self._number(category)
        totals = self._totals[number]
        usual = totals.saved / totals.known if totals.known else _UNKNOWN_SECONDS
        for block in self._columns.blocks():
            places = np.flatnonzero(block.categories == number)
            if len(places):
                yield self._candidates(block, places, usual)

    def in_use(self) -> Iterator[dict[str, Amount]]:
        """Yield, block by block, what each category uses of what it holds.

        Each entry counts as much as its decayed frequency, and at most once.
        """
        self._settle()
        for block in self._columns.blocks():
            places = np.flatnonzero(block.categories != FREE)
            numbers = block.categories[places]
            frequency = block.frequencies[places].astype(np.float64)
            parts = np.minimum(decayed(frequency, block.touches[places], self._clock), 1.0)
            entries = np.bincount(numbers, parts)
            size = np.bincount(numbers, parts * block.sizes[places])
            yield {
                self._names[n]: Amount(float(entries[n]), float(size[n]))
                for n in np.flatnonzero(entries).tolist()
            }

    def _candidates(self, block: Block, places: NDArray[np.intp], usual: float) -> Candidates:
        frequency = block.frequencies[places].astype(np.float64)
        saved = np.nan_to_num(block.savings[places].astype(np.float64), nan=usual)
        sizes = block.sizes[places].astype(np.float64)
        uses = decayed(frequency, block.touches[places], self._clock)
        return Candidates(block.keys[places], worth(uses, saved, sizes), sizes)

    def _settle(self) -> None:
        """Enter the hits that have been noted."""
        hits, self._hits = self._hits, {}
        clock = self._clock
        for key, count in hits.items():
            found = self._columns.find(key)
            if found is not None:
                block, place = found
                before = block.frequency[place]
                block.frequency[place] = used(before, block.touched[place], clock, count)
                block.touched[place] = clock

    def _advance(self, size: float) -> None:
        """Move the clock by the part of the store that a new entry takes."""
        capacity = self.capacity
        self._clock += max(1 / capacity.entries, size / capacity.size)

    def _count(self, block: Block, place: int, sign: int) -> None:
        """Add an entry to the totals, or take it out."""
        totals, size, saved = (
            self._totals[block.category[place]],
            block.size[place],
            block.saved[place],
        )
        totals.entries += sign
        totals.size += sign * size
        self._size += sign * size
        if saved == saved:  # noqa: PLR0124 - it is a number
            totals.known += sign
            totals.saved += sign * saved

    def _number(self, category: str) -> int:
        number = self._numbers.get(category)
        if number is None:
            number = self._numbers[category] = len(self._names)
            self._names.append(category)
            self._totals.append(_Totals())
        return number


def _nothing() -> None:
    """Tell nobody."""
