"""Tensors as little-endian bytes, and reading a payload without trusting it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cachemw_codecs.errors import DamagedData

Bytes = NDArray[np.uint8]
Words = NDArray[np.unsignedinteger[Any]]


def words(part: Tensor) -> Words:
    """Return the bits of a floating-point tensor as unsigned integers of its width, same shape."""
    signed = torch.int16 if part.dtype.itemsize == 2 else torch.int32
    bits = part.detach().contiguous().view(signed).numpy()
    unsigned: Words = bits.view(np.uint16 if part.dtype.itemsize == 2 else np.uint32)
    return unsigned


def from_words(bits: Words, dtype: torch.dtype) -> Tensor:
    """Undo `words`; takes the memory of `bits` where it is contiguous."""
    signed = np.int16 if dtype.itemsize == 2 else np.int32
    return torch.from_numpy(np.ascontiguousarray(bits).view(signed)).view(dtype)


def to_planes(bits: Words) -> Bytes:
    """Split into planes of a byte, uint8 [itemsize, *bits.shape], the best to compress first.

    Each word is rotated left by one bit before, so that the sign goes to the last bit of the last
    plane and the first holds the exponent whole (float16: with three bits of the mantissa).
    """
    width = bits.itemsize * 8
    rotated = (bits << 1) | (bits >> (width - 1))
    return np.stack([(rotated >> at).astype(np.uint8) for at in range(width - 8, -1, -8)])


def from_planes(planes: Sequence[Bytes] | Bytes) -> Words:
    """Undo `to_planes`."""
    unsigned = np.uint16 if len(planes) == 2 else np.uint32
    rotated: Words = planes[0].astype(unsigned)
    for plane in planes[1:]:
        rotated = np.bitwise_or(np.left_shift(rotated, 8), plane)
    back: Words = np.bitwise_or(rotated >> 1, np.left_shift(rotated, 8 * len(planes) - 1))
    return back


class Reader:
    """Reads a payload front to back; every length is checked before anything is made of it."""

    def __init__(self, payload: bytes | memoryview) -> None:
        self._bytes = np.frombuffer(payload, np.uint8)
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._bytes) - self._at

    def take(self, count: int, what: str) -> Bytes:
        """Return the next `count` bytes, not copied; raises `DamagedData` naming `what`."""
        if count > self.left:
            raise DamagedData(f"{what}: {count} bytes expected, {self.left} left")
        start, self._at = self._at, self._at + count
        return self._bytes[start : self._at]

    def number(self, what: str) -> int:
        """Return the next eight bytes as a number."""
        return int.from_bytes(self.take(8, what).tobytes(), "little")

    def end(self) -> None:
        """Raise `DamagedData` unless everything has been read."""
        if self.left:
            raise DamagedData(f"{self.left} bytes too many")
