"""Lines out of a byte stream, and work in portions: nothing is held whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence

from cachemw.stores.base import EntryInfo


class LineTooLong(ValueError):
    """A line is over the limit; `number` counts from 1."""

    def __init__(self, number: int, limit: int) -> None:
        super().__init__(f"over the limit of {limit} bytes")
        self.number = number


async def numbered_lines(
    chunks: AsyncIterator[bytes], max_bytes: int
) -> AsyncGenerator[tuple[int, bytes], None]:
    """Yield (number from 1, line without its end) of lines that are not blank.

    Holds one line and one chunk. Raises LineTooLong.
    """
    number, rest = 1, bytearray()
    async for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            rest += chunk[start:end]
            if len(rest) > max_bytes:
                raise LineTooLong(number, max_bytes)
            if line := bytes(rest).strip():
                yield number, line
            rest.clear()
            number, start = number + 1, end + 1
        rest += chunk[start:]
        if len(rest) > max_bytes:
            raise LineTooLong(number, max_bytes)
    if line := bytes(rest).strip():
        yield number, line


def portions(infos: Sequence[EntryInfo], *, count: int, size: int) -> Iterator[Sequence[EntryInfo]]:
    """Yield runs of up to `count` entries and about `size` stored bytes: what is read at once."""
    start, held = 0, 0
    for at, info in enumerate(infos):
        if at > start and (at - start >= count or held + info.size > size):
            yield infos[start:at]
            start, held = at, 0
        held += info.size
    if start < len(infos):
        yield infos[start:]
