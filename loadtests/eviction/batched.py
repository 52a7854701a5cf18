"""Policies that value what is held and give up the least valuable batch of it, as the service does.

Among them the clairvoyant ones, which know when each item is asked for next. Belady's (1966) is
optimal for hits of items of equal size; with sizes and savings the optimum is NP-hard, and the
greedy one here is a strong reference, no bound.
"""

from __future__ import annotations

from array import array
from typing import Protocol

import numpy as np
from cachemw_policies.eviction import decayed, used, victims, worth
from numpy.typing import NDArray

from cachemw.quotas.ghosts import Ghosts
from loadtests.eviction.streams import Stream

Floats = NDArray[np.float64]
Items = NDArray[np.int64]

#: What a batch frees beyond what it must, of the capacity.
BATCH = 0.01
#: Ghosts remembered for each entry that fits.
GHOSTS = 2


class Book:
    """How often every item was used, and when last; one element each, of array and view."""

    def __init__(self, count: int) -> None:
        self.uses, self.used_at = array("d", bytes(8 * count)), array("d", bytes(8 * count))
        self.frequency: Floats = np.frombuffer(self.uses, dtype=np.float64)
        self.touched: Floats = np.frombuffer(self.used_at, dtype=np.float64)


class Values(Protocol):
    """How a policy sees items."""

    def put(self, item: int) -> None:
        """Take note that an item comes."""

    def hit(self, item: int) -> None:
        """Take note that an item is used."""

    def of(self, items: Items) -> Floats:
        """Return what items are worth."""

    def gone(self, items: Items, values: Floats) -> None:
        """Take note of what went, and what it was worth."""


class Decaying:
    """Decayed frequency x what a hit saves / size, as the service does it: `Ledger`.

    Time is counted in turnovers of the cache, and two ghosts an entry are remembered. With `costs`
    off every hit saves the same and weighs the same; without `ghosts` an item that comes again
    begins anew.
    """

    def __init__(
        self, stream: Stream, capacity: float, half_life: float, *, costs: bool, ghosts: bool
    ) -> None:
        self._stream = stream
        self._book = Book(len(stream.sizes))
        self._half_life = half_life
        self._costs = costs
        slots = GHOSTS * capacity / float(stream.sizes.mean()) if ghosts else 1
        self._ghosts = Ghosts(int(slots))
        self._clock = 0.0
        self._turn = array("d", stream.sizes / capacity)

    def put(self, item: int) -> None:
        """Go on with what is remembered of it."""
        self._clock += self._turn[item]
        frequency, touched = self._ghosts.recall(_hash(item))
        self._use(item, frequency, touched)

    def hit(self, item: int) -> None:
        """Count a use."""
        self._use(item, self._book.uses[item], self._book.used_at[item])

    def of(self, items: Items) -> Floats:
        """Return what items are worth."""
        uses, stream = self.uses(items), self._stream
        return worth(uses, stream.saved[items], stream.sizes[items]) if self._costs else uses

    def uses(self, items: Items) -> Floats:
        """Return the decayed frequencies of items."""
        frequency, touched = self._book.frequency[items], self._book.touched[items]
        return decayed(frequency, touched, self._clock, self._half_life)

    def gone(self, items: Items, values: Floats) -> None:  # noqa: ARG002
        """Remember them."""
        for item in items.tolist():
            self._ghosts.remember(_hash(item), self._book.uses[item], self._book.used_at[item])

    def _use(self, item: int, frequency: float, touched: float) -> None:
        uses = used(frequency, touched, self._clock, half_life=self._half_life)
        self._book.uses[item], self._book.used_at[item] = uses, self._clock


class Gdsf:
    """Greedy-Dual-Size-Frequency (Cherkasova 1998): an item's rank is a clock plus its worth.

    The clock is the rank of what went last, so that what was useful long ago is overtaken.
    """

    def __init__(self, stream: Stream) -> None:
        self._clock = 0.0
        self._uses = array("q", bytes(8 * len(stream.sizes)))
        self._ranks = array("d", bytes(8 * len(stream.sizes)))
        self._rank: Floats = np.frombuffer(self._ranks, dtype=np.float64)
        self._density = array("d", stream.saved / stream.sizes)

    def put(self, item: int) -> None:
        """Count from here."""
        self._uses[item] = 0
        self.hit(item)

    def hit(self, item: int) -> None:
        """Count a use."""
        self._uses[item] += 1
        self._ranks[item] = self._clock + self._uses[item] * self._density[item]

    def of(self, items: Items) -> Floats:
        """Return their ranks."""
        return self._rank[items]

    def gone(self, items: Items, values: Floats) -> None:  # noqa: ARG002
        """Advance the clock."""
        self._clock = max(self._clock, float(values.max()))


class Clairvoyant:
    """Knows when each item is asked for next; with `costs` also weighs what that saves by size."""

    def __init__(self, stream: Stream, *, costs: bool) -> None:
        self._stream = stream
        self._costs = costs
        self._following = _next_uses(stream.items, len(stream.sizes))
        self._next = array("q", bytes(8 * len(stream.sizes)))
        self._nexts: NDArray[np.int64] = np.frombuffer(self._next, dtype=np.int64)
        self._asked = 0

    def put(self, item: int) -> None:
        """Look ahead."""
        self._next[item] = self._following[self._asked]
        self._asked += 1

    def hit(self, item: int) -> None:
        """Look ahead."""
        self.put(item)

    def of(self, items: Items) -> Floats:
        """Return the inverse of how far away their next uses are, 0 where there is none."""
        nearness: Floats = 1.0 / np.maximum(self._nexts[items] - self._asked + 1, 1)
        nearness[self._nexts[items] == len(self._stream.items)] = 0.0
        if self._costs:
            nearness *= self._stream.saved[items] / self._stream.sizes[items]
        return nearness

    def gone(self, items: Items, values: Floats) -> None:
        """Nothing to note."""


class Batched:
    """A cache of so many bytes that gives up batches by their values."""

    def __init__(self, values: Values, sizes: Floats, capacity: float) -> None:
        self._values = values
        self._sizes = sizes
        self._size = sizes.tolist()
        self._capacity = capacity
        self._used = 0.0
        #: One byte an item; the same as a view for numpy.
        self._is_held = bytearray(len(sizes))
        self._held: NDArray[np.bool_] = np.frombuffer(self._is_held, dtype=np.bool_)

    def ask(self, item: int) -> bool:
        """Look it up, and put it where it is absent."""
        if self._is_held[item]:
            self._values.hit(item)
            return True
        self._values.put(item)
        self._is_held[item] = True
        self._used += self._size[item]
        if self._used > self._capacity:
            self._give_up()
        return False

    def _give_up(self) -> None:
        held = np.flatnonzero(self._held)
        values = self._values.of(held)
        need = self._used - (1 - BATCH) * self._capacity
        self._remove(held, values, victims(values, self._sizes[held], entries=0, size=need))

    def _remove(self, held: Items, values: Floats, chosen: NDArray[np.intp]) -> None:
        gone = held[chosen]
        self._values.gone(gone, values[chosen])
        self._held[gone] = False
        self._used -= float(self._sizes[gone].sum())


def _hash(item: int) -> int:
    """Spread numbers over 61 bits (Knuth's multiplicative hashing)."""
    return item * 0x9E37_79B9_7F4A_7C15 % (1 << 61)


def _next_uses(items: NDArray[np.int64], count: int) -> list[int]:
    """Return for each request when its item is asked for next; their number where it is not."""
    coming = [len(items)] * count
    following = [0] * len(items)
    for place in range(len(items) - 1, -1, -1):
        item = int(items[place])
        following[place] = coming[item]
        coming[item] = place
    return following
