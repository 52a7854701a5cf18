"""What is known of every entry beside its vector: key, expiry, age.

Hundreds of thousands of small objects would cost memory, and pauses whenever Python's garbage
collector looks at all of them. So an entry is a number and its facts stand in arrays. The collector
does not track dictionaries from bytes to numbers, and does not look into numpy's arrays of objects.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cachemw.index.expiry import ExpiryHeap

_STRIPES = 64
_NONE = -1
_BLOCK = 4096


class KeyMap:
    """A dictionary from keys to entries in stripes.

    A dictionary is copied when it grows, at a million keys for 40 ms; a stripe for under one.
    """

    def __init__(self) -> None:
        self._stripes: tuple[dict[bytes, int], ...] = tuple({} for _ in range(_STRIPES))

    def get(self, key: bytes) -> int | None:
        """Return the key's entry, if there is one."""
        return self._stripes[hash(key) % _STRIPES].get(key)

    def put(self, key: bytes, entry: int) -> None:
        """Set the key's entry."""
        self._stripes[hash(key) % _STRIPES][key] = entry

    def drop(self, key: bytes) -> None:
        """Remove a key that is there."""
        del self._stripes[hash(key) % _STRIPES][key]


class AgeOrder:
    """Doubly linked lists of entries, oldest first, with the links in two arrays."""

    def __init__(self) -> None:
        self._older = array("i")
        self._newer = array("i")

    def append(self, ends: AgeEnds, entry: int) -> None:
        """Put an entry at the young end of the list with these `ends`."""
        while entry >= len(self._older):
            self._older.append(_NONE)
            self._newer.append(_NONE)
        self._older[entry], self._newer[entry] = ends.newest, _NONE
        if ends.newest == _NONE:
            ends.oldest = entry
        else:
            self._newer[ends.newest] = entry
        ends.newest = entry
        ends.count += 1

    def remove(self, ends: AgeEnds, entry: int) -> None:
        """Take an entry out of its list, the one with these `ends`."""
        older, newer = self._older[entry], self._newer[entry]
        if older == _NONE:
            ends.oldest = newer
        else:
            self._newer[older] = newer
        if newer == _NONE:
            ends.newest = older
        else:
            self._older[newer] = older
        ends.count -= 1

    def walk(self, ends: AgeEnds) -> Iterator[int]:
        """Yield a list's entries, oldest first. The list must not change meanwhile."""
        entry = ends.oldest
        while entry != _NONE:
            yield entry
            entry = self._newer[entry]


class AgeEnds:
    """Both ends of one list, and its length."""

    __slots__ = ("count", "newest", "oldest")

    def __init__(self) -> None:
        self.oldest = self.newest = _NONE
        self.count = 0


class KeyColumn:
    """Keys by entry, in blocks, so that growing copies nothing."""

    def __init__(self) -> None:
        self._blocks: list[NDArray[Any]] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, entry: int) -> bytes | None:
        key: bytes | None = self._blocks[entry // _BLOCK][entry % _BLOCK]
        return key

    def __setitem__(self, entry: int, key: bytes | None) -> None:
        self._blocks[entry // _BLOCK][entry % _BLOCK] = key

    def append(self, key: bytes) -> None:
        """Put a key after the last one."""
        if self._length == len(self._blocks) * _BLOCK:
            self._blocks.append(np.full(_BLOCK, None, dtype=object))
        self._length += 1
        self[self._length - 1] = key


class Entries:
    """All entries: numbers from 0, which are used again once they are free."""

    def __init__(self) -> None:
        self._keys = KeyColumn()
        self._segments = array("i")
        self._digests = array("q")
        self._numbers = KeyMap()
        self._free = array("i")
        self.expiry = ExpiryHeap()
        self.age = AgeOrder()

    def __len__(self) -> int:
        return len(self.expiry)

    def number(self, key: bytes) -> int | None:
        """Return a key's entry, if there is one."""
        return self._numbers.get(key)

    def key(self, entry: int) -> bytes:
        """Return the key of a live entry."""
        key = self._keys[entry]
        if key is None:
            raise KeyError(entry)
        return key

    def segment(self, entry: int) -> int:
        """Return the number of the segment that holds a live entry's vector."""
        return self._segments[entry]

    def digest(self, entry: int) -> int:
        """Return what tells a live entry's vector from others."""
        return self._digests[entry]

    def renew(self, entry: int, expires_at: float, ends: AgeEnds) -> None:
        """Make a live entry the newest, with another end."""
        self.expiry.remove(entry)
        self.expiry.push(entry, expires_at)
        self.age.remove(ends, entry)
        self.age.append(ends, entry)

    def add(
        self, key: bytes, expires_at: float, ends: AgeEnds, segment: int, digest: int = 0
    ) -> int:
        """Return a new entry for a key that has none."""
        if self._free:
            entry = self._free.pop()
            self._keys[entry] = key
            self._segments[entry], self._digests[entry] = segment, digest
        else:
            entry = len(self._keys)
            self._keys.append(key)
            self._segments.append(segment)
            self._digests.append(digest)
        self._numbers.put(key, entry)
        self.expiry.push(entry, expires_at)
        self.age.append(ends, entry)
        return entry

    def remove(self, entry: int, ends: AgeEnds) -> None:
        """Free a live entry."""
        self._numbers.drop(self.key(entry))
        self._keys[entry] = None
        self.expiry.remove(entry)
        self.age.remove(ends, entry)
        self._free.append(entry)

    def keys(self, step: int) -> Iterator[list[bytes]]:
        """Yield all keys, up to `step` at a time; what changes meanwhile may be missed."""
        start = 0
        while start < len(self._keys):
            numbers = range(start, min(start + step, len(self._keys)))
            yield [key for key in map(self._keys.__getitem__, numbers) if key is not None]
            start += step
