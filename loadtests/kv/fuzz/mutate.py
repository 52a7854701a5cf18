"""Bytes, changed without knowing what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Random = np.random.Generator
_MOST_ADDED = 4096
_WIDTHS = (1, 2, 4, 8)
_EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 1 << 16, (1 << 31) - 1, 1 << 31)
_MORE_EXTREMES = ((1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


def mutated(data: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """Change `data` in one to four places; `others` are what is spliced in."""
    changed = bytearray(data)
    for _ in range(1 << int(random.integers(3))):
        mutation = _MUTATIONS[int(random.integers(len(_MUTATIONS)))]
        mutation(changed, others, random)
    return bytes(changed)


def _flip(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    if data:
        place = int(random.integers(8 * len(data)))
        data[place // 8] ^= 1 << place % 8


def _overwrite(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    start, end = _range(len(data), random)
    data[start:end] = random.bytes(end - start)


def _delete(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    start, end = _range(len(data), random)
    del data[start:end]


def _insert(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    start, _end = _range(len(data), random)
    data[start:start] = random.bytes(_length(_MOST_ADDED, random))


def _splice(data: bytearray, others: Sequence[bytes], random: Random) -> None:
    other = others[int(random.integers(len(others)))]
    start, end = _range(len(data), random)
    first, last = _range(len(other), random)
    data[start:end] = other[first:last]


def _truncate(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    start, _end = _range(len(data), random)
    del data[start:]


def _repeat(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    start, end = _range(len(data), random)
    most = max(1, _MOST_ADDED // max(1, end - start))
    data[end:end] = data[start:end] * int(random.integers(1, most + 1))


def _extreme(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    """Set an integer, at any place, to a value at the edge of some width."""
    width = _WIDTHS[int(random.integers(len(_WIDTHS)))]
    values = _EXTREMES + _MORE_EXTREMES
    value = values[int(random.integers(len(values)))] % (1 << 8 * width)
    if len(data) >= width:
        start = int(random.integers(len(data) - width + 1))
        data[start : start + width] = value.to_bytes(width, "little")


def _step(data: bytearray, _: Sequence[bytes], random: Random) -> None:
    """Add or take a little from an integer."""
    width = _WIDTHS[int(random.integers(len(_WIDTHS)))]
    if len(data) >= width:
        start = int(random.integers(len(data) - width + 1))
        value = int.from_bytes(data[start : start + width], "little")
        value = (value + int(random.integers(-4, 5))) % (1 << 8 * width)
        data[start : start + width] = value.to_bytes(width, "little")


def _range(length: int, random: Random) -> tuple[int, int]:
    """Return where a range of `length` bytes begins and ends; mostly a short one."""
    start = int(random.integers(length + 1))
    return start, start + min(_length(length, random), length - start)


def _length(most: int, random: Random) -> int:
    """Return a length up to about `most`; every order of magnitude is as likely."""
    return int(random.integers(1, 1 + (1 << int(random.integers(1 + max(1, most).bit_length())))))


_MUTATIONS: tuple[Callable[[bytearray, Sequence[bytes], Random], None], ...] = (
    _flip,
    _overwrite,
    _delete,
    _insert,
    _splice,
    _truncate,
    _repeat,
    _extreme,
    _step,
)
