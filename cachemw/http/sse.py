"""Reading server-sent events out of a byte stream.

Source: the WHATWG event stream format. Events are kept as the bytes they came in, so that what is
passed on is what the upstream wrote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# An event ends at a blank line; any of the three line endings may stand.
_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LINE = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One event: the bytes it came in, its `event:` name and its joined `data:` lines."""

    raw: bytes
    name: str | None
    data: bytes

    @property
    def is_done(self) -> bool:
        """Whether this is OpenAI's end marker."""
        return self.data.strip() == b"[DONE]"


class SseSplitter:
    """Cuts a stream of arbitrary chunks into whole events."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Take a chunk, return the events it completes."""
        buffer = self._rest + chunk
        events: list[SseEvent] = []
        start = 0
        for blank in _BLANK_LINE.finditer(buffer):
            events.append(_parse(buffer[start : blank.end()]))
            start = blank.end()
        self._rest = buffer[start:]
        return events

    @property
    def pending(self) -> int:
        """Bytes held back because their event is not complete."""
        return len(self._rest)

    def flush(self) -> SseEvent | None:
        """Return what is left at the end of the stream, if it says anything."""
        rest, self._rest = self._rest, b""
        return _parse(rest) if rest.strip() else None


def _parse(raw: bytes) -> SseEvent:
    name: str | None = None
    data: list[bytes] = []
    for line in _LINE.split(raw):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return SseEvent(raw, name, b"\n".join(data))
