"""Small integers in as few bits as they need, and groups with a minimum and a step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]
Floats = NDArray[np.float32]
_HALF = np.dtype("<f2")


def pack(codes: Codes, bits: int) -> bytes:
    """Pack codes below 2^bits, least significant bit first, to whole bytes at the end."""
    rows = np.unpackbits(codes.reshape(-1, 1), axis=1, count=bits, bitorder="little")
    return np.packbits(rows.ravel(), bitorder="little").tobytes()


def unpack(packed: bytes, bits: int, count: int) -> Codes:
    """Undo `pack`: uint8 [count]."""
    raw = np.frombuffer(packed, np.uint8)
    rows = np.unpackbits(raw, count=count * bits, bitorder="little").reshape(count, bits)
    return np.packbits(rows, axis=1, bitorder="little")[:, 0]


def packed_size(count: int, bits: int) -> int:
    """Bytes that `pack` makes of `count` codes."""
    return -(-count * bits // 8)


def quantise(groups: Floats, bits: int) -> bytes:
    """Encode `groups`, float32 [groups, members], each between its minimum and maximum.

    Asymmetric round to nearest (KIVI, arXiv 2402.02750, section 3.1): per group a zero point (the
    minimum) and a step, float16 each; then the codes.
    """
    top = (1 << bits) - 1
    low = groups.min(axis=1)
    zeros = low.astype(_HALF)
    steps = ((groups.max(axis=1) - low) / top).astype(_HALF)
    # Rounded with what the decoder will have. A constant group has step 0 and codes 0.
    wide = np.where(steps > 0, steps, 1).astype(np.float32)[:, None]
    codes = np.rint((groups - zeros.astype(np.float32)[:, None]) / wide)
    packed = pack(np.clip(codes, 0, top).astype(np.uint8), bits)
    return b"".join((zeros.tobytes(), steps.tobytes(), packed))


def dequantise(payload: bytes, groups: int, members: int, bits: int) -> Floats:
    """Undo `quantise`: float32 [groups, members]."""
    zeros = np.frombuffer(payload, _HALF, groups).astype(np.float32)
    steps = np.frombuffer(payload, _HALF, groups, offset=2 * groups).astype(np.float32)
    codes = unpack(payload[4 * groups :], bits, groups * members).reshape(groups, members)
    return codes.astype(np.float32) * steps[:, None] + zeros[:, None]


def quantised_size(groups: int, members: int, bits: int) -> int:
    """Bytes that `quantise` makes."""
    return 4 * groups + packed_size(groups * members, bits)
