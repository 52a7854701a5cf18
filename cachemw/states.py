"""The state of a dependency: one log line and one gauge per change, not one per request."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from math import inf

log = logging.getLogger("cachemw.state")

#: Seconds after which a failure no longer counts where other operations succeed: one that is not
#: tried again, as a deletion, must not hold the state down for ever.
_FORGOTTEN_S = 5.0


class DependencyState:
    """Whether a dependency answers. Starts as unknown, so that the first answer is a change.

    It is down as long as any of its operations fails: a store that reads and cannot write must not
    go up and down with every request. For the same reason a failure counts for `settle_s` even if
    the operation succeeds meanwhile: one part of a cluster may fail while the others answer.
    """

    def __init__(
        self,
        name: str,
        on_change: Callable[[bool], None] = lambda _: None,
        *,
        settle_s: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._on_change = on_change
        self._settle_s = settle_s
        self._monotonic = monotonic
        self._up: bool | None = None
        #: When each operation that counts as failing failed last.
        self._failed: dict[str, float] = {}

    @property
    def is_up(self) -> bool:
        """False only after a failure that no success has followed."""
        return self._up is not False

    def up(self, operation: str = "") -> None:
        """Note a success."""
        if self._up is True:
            return
        now = self._monotonic()
        if now - self._failed.get(operation, -inf) >= self._settle_s:
            self._failed.pop(operation, None)
        self._failed = {o: at for o, at in self._failed.items() if now - at < _FORGOTTEN_S}
        if self._failed:
            return
        # A first success is no news for a reader of the log, recovering from a failure is.
        if self._up is False:
            log.warning("dependency is back", extra={"dependency": self.name})
        self._up = True
        self._on_change(True)

    def down(self, reason: str, operation: str = "") -> None:
        """Note a failure; `reason` is an error's kind, never its text, which may hold a prompt."""
        self._failed[operation] = self._monotonic()
        if self._up is False:
            return
        self._up = False
        log.warning("dependency failed", extra={"dependency": self.name, "reason": reason})
        self._on_change(False)
