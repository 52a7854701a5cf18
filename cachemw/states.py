"""The state of a dependency: one log line and one gauge per change, not one per request."""

from __future__ import annotations

import logging
from collections.abc import Callable

log = logging.getLogger("cachemw.state")


class DependencyState:
    """Whether a dependency answers. Starts as unknown, so that the first answer is a change.

    It is down as long as any of its operations fails: a store that reads and cannot write must not
    go up and down with every request.
    """

    def __init__(self, name: str, on_change: Callable[[bool], None] = lambda _: None) -> None:
        self.name = name
        self._on_change = on_change
        self._up: bool | None = None
        self._failing: set[str] = set()

    @property
    def is_up(self) -> bool:
        """False only after a failure that no success has followed."""
        return self._up is not False

    def up(self, operation: str = "") -> None:
        """Note a success."""
        if self._up is True:
            return
        self._failing.discard(operation)
        if self._failing:
            return
        # A first success is no news for a reader of the log, recovering from a failure is.
        if self._up is False:
            log.warning("dependency is back", extra={"dependency": self.name})
        self._up = True
        self._on_change(True)

    def down(self, reason: str, operation: str = "") -> None:
        """Note a failure; `reason` is an error's kind, never its text, which may hold a prompt."""
        self._failing.add(operation)
        if self._up is False:
            return
        self._up = False
        log.warning("dependency failed", extra={"dependency": self.name, "reason": reason})
        self._on_change(False)
