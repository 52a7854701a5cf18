"""Stop sequences over a stream of text: none of their characters is ever let out."""

from __future__ import annotations

from collections.abc import Sequence


class StopMatcher:
    """Cuts a stream of text at the first stop string, also when it arrives in pieces.

    Text that may be the beginning of a stop string is held back until it is decided. Of several
    stop strings, the one that starts first in the text wins.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        if not all(stops):
            raise ValueError("a stop string must not be empty")
        self._stops = tuple(stops)
        self._held = ""
        self.stopped = False

    def push(self, text: str) -> str:
        """Take the next piece, return what may go out; sets `stopped` on a match."""
        if self.stopped:
            return ""
        text = self._held + text
        # A match is final only when no other stop string that starts earlier is still open.
        open_at = self._open_from(text)
        found = min((at for stop in self._stops if (at := text.find(stop)) >= 0), default=-1)
        if 0 <= found <= open_at:
            self._held = ""
            self.stopped = True
            return text[:found]
        self._held = text[open_at:]
        return text[:open_at]

    def flush(self) -> str:
        """Return the held text: the stream is over and it did not become a stop string.

        A stop string that was complete but waited for an earlier, longer one still cuts here.
        """
        text, self._held = self._held, ""
        found = min((at for stop in self._stops if (at := text.find(stop)) >= 0), default=-1)
        if found >= 0:
            self.stopped = True
            return text[:found]
        return text

    def _open_from(self, text: str) -> int:
        """Return where the longest suffix that a stop string could continue begins."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        for start in range(max(0, len(text) - longest), len(text)):
            suffix = text[start:]
            if any(stop.startswith(suffix) and stop != suffix for stop in self._stops):
                return start
        return len(text)
