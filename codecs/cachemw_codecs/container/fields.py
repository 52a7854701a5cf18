"""The header's bytes, taken from front to back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cachemw_codecs.container.layout import NAME, PAIR_BYTES
from cachemw_codecs.errors import DamagedData


class Fields:
    """Takes field after field from `body`; raises `DamagedData` where it ends too early."""

    def __init__(self, body: bytes, offset: int) -> None:
        self._body = body
        self._offset = offset

    @property
    def left(self) -> int:
        """Bytes not taken yet."""
        return len(self._body) - self._offset

    def take(self, count: int, what: str) -> bytes:
        """Return the next `count` bytes."""
        if count > self.left:
            raise DamagedData(f"header: ends inside {what}")
        self._offset += count
        return self._body[self._offset - count : self._offset]

    def short(self, what: str) -> bytes:
        """Return the bytes whose number the next byte says."""
        return self.take(self.take(1, what)[0], what)

    def name(self, what: str) -> str:
        """Return a short name of ASCII characters."""
        text = self.short(what).decode("latin-1")
        if not NAME.fullmatch(text):
            raise DamagedData(f"header: {what} is not a name")
        return text

    def pairs(self, count: int, what: str) -> NDArray[np.int64]:
        """Return `count` pairs of 32-bit integers, int64 [count, 2]."""
        raw = self.take(PAIR_BYTES * count, what)
        return np.frombuffer(raw, "<u4").reshape(count, 2).astype(np.int64)
