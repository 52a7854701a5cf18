"""Tensors as little-endian bytes, and reading a payload without trusting it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cachemw_codecs.errors import DamagedData
from cachemw_codecs.kv import LayerKV, LayerShape

Bytes = NDArray[np.uint8]
Words = NDArray[np.unsignedinteger[Any]]


def words(part: Tensor) -> Words:
    """Return the bits of a floating-point tensor as unsigned integers of its width, same shape."""
    signed = torch.int16 if part.dtype.itemsize == 2 else torch.int32
    bits = part.detach().contiguous().view(signed).numpy()
    unsigned: Words = bits.view(_unsigned(part.dtype))
    return unsigned


def from_words(bits: Words, shape: LayerShape) -> Tensor:
    """Undo `words` for one part of a layer; takes the memory of `bits` where it is contiguous."""
    signed = np.int16 if shape.dtype.itemsize == 2 else np.int32
    flat = torch.from_numpy(np.ascontiguousarray(bits).view(signed))
    return flat.view(shape.dtype).reshape(shape.kv_heads, shape.tokens, shape.head_dim)


def byte_planes(kv: LayerKV) -> Bytes:
    """Split a layer's bits into planes, uint8 [itemsize, values], the best to compress first.

    Values come as keys then values, in the order of their tensors. Each is rotated left by one bit
    before it is split, so that the sign goes to the last plane and the first holds the exponent
    whole (float16: the exponent and three bits of the mantissa). Raises `InvalidInput` for a layer
    whose shape is wrong.
    """
    _ = kv.shape
    bits = np.concatenate([words(kv.keys).ravel(), words(kv.values).ravel()])
    width = bits.itemsize * 8
    rotated = (bits << 1) | (bits >> (width - 1))
    return np.stack([(rotated >> at).astype(np.uint8) for at in range(width - 8, -1, -8)])


def from_byte_planes(planes: Bytes, shape: LayerShape) -> LayerKV:
    """Undo `byte_planes`."""
    width = shape.dtype.itemsize * 8
    rotated: Words = np.zeros(planes.shape[1], _unsigned(shape.dtype))
    for plane in planes:
        rotated = (rotated << 8) | plane
    keys, values = np.split((rotated >> 1) | (rotated << (width - 1)), 2)
    return LayerKV(from_words(keys, shape), from_words(values, shape))


def _unsigned(dtype: torch.dtype) -> type[np.uint16 | np.uint32]:
    return np.uint16 if dtype.itemsize == 2 else np.uint32


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

    def end(self) -> None:
        """Raise `DamagedData` unless everything has been read."""
        if self.left:
            raise DamagedData(f"{self.left} bytes too many")
