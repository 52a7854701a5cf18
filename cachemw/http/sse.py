"""Reading server-sent events out of a byte stream.

Source: the WHATWG event stream format. Events are kept as the bytes they came in, so that what is
passed on is what the upstream wrote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# An event ends at a blank line; any of the three line endings may stand, and they may be mixed. A
# CR at the end of what has come may be half of a CRLF: it ends nothing until more is known.
_END_OF_LINE = rb"(?:\r\n|\n|\r(?!\n|\Z))"
_BLANK_LINE = re.compile(_END_OF_LINE + _END_OF_LINE)
_LONGEST_BLANK_LINE = 4
_LINE = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


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
        self._begun = False

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Take a chunk, return the events it completes."""
        buffer = self._rest + chunk
        events: list[SseEvent] = []
        start = 0
        # What was held back has no blank line in it: one can only end in the new bytes.
        searched = max(0, len(self._rest) - _LONGEST_BLANK_LINE + 1)
        for blank in _BLANK_LINE.finditer(buffer, searched):
            events.append(self._event(buffer[start : blank.end()]))
            start = blank.end()
        self._rest = buffer[start:]
        return events

    @property
    def pending(self) -> int:
        """Bytes held back because their event is not complete."""
        return len(self._rest)

    def flush(self) -> SseEvent | None:
        """Return what is left at the end of the stream."""
        rest, self._rest = self._rest, b""
        return self._event(rest) if rest else None

    def _event(self, raw: bytes) -> SseEvent:
        text = raw if self._begun else raw.removeprefix(_BOM)
        self._begun = True
        return _parse(raw, text)


def _parse(raw: bytes, text: bytes) -> SseEvent:
    name: str | None = None
    data: list[bytes] = []
    for line in _LINE.split(text):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace") or None
    return SseEvent(raw, name, b"\n".join(data))
