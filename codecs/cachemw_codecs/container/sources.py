"""Where a reader's bytes come from. Over HTTP: `Range: bytes={offset}-{offset + length - 1}`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import BinaryIO

Read = Callable[[int, int], bytes]
"""(offset, length) -> the bytes there; fewer only where the file ends.

Called from as many threads as call the reader. Errors of its own pass through.
"""


def of_bytes(data: bytes | memoryview) -> Read:
    """Return ranges of what is in memory."""
    view = memoryview(data)
    return lambda offset, length: bytes(view[offset : offset + length])


def of_file(file: BinaryIO) -> Read:
    """Return ranges of an open file, whose own position is left alone."""

    def read(offset: int, length: int) -> bytes:
        parts = []
        while length > 0 and (part := os.pread(file.fileno(), length, offset)):
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return b"".join(parts)

    return read
