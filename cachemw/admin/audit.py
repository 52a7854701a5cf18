"""Who did what to the entries: one log line for each operation, without any of their content."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

log = logging.getLogger("cachemw.audit")

_QUIET_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Caller:
    """`who` is the beginning of the token's hash, `client` the address of the connection."""

    who: str
    client: str


class Audit:
    """Writes the audit log. `monotonic` returns seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last_refusal: dict[str, float] = {}
        self._unlogged: dict[str, int] = {}

    @contextmanager
    def operation(
        self, caller: Caller, name: str, about: Mapping[str, object]
    ) -> Iterator[dict[str, object]]:
        """Log an operation when it ends, however it ends; what is yielded takes its counts.

        `about` says what was asked: filter, id, dry run.
        """
        counts: dict[str, object] = {}
        outcome = "failed"
        try:
            yield counts
            outcome = "done"
        except (GeneratorExit, asyncio.CancelledError):
            outcome = "broken off"
            raise
        except Exception as error:
            counts["error"] = type(error).__name__
            raise
        finally:
            said = {"who": caller.who, "client": caller.client, "operation": name}
            log.info("admin", extra={**said, **about, **counts, "outcome": outcome})

    def refused(self, reason: str, client: str, operation: str) -> None:
        """Log that a request was not let in; of one reason at most one line in ten seconds.

        The line says how many went unlogged before it: whoever guesses tokens fills no disk.
        """
        now = self._monotonic()
        last = self._last_refusal.get(reason)
        if last is not None and now - last < _QUIET_SECONDS:
            self._unlogged[reason] = self._unlogged.get(reason, 0) + 1
            return
        self._last_refusal[reason] = now
        said = {"who": "", "client": client, "operation": operation, "reason": reason}
        unlogged = self._unlogged.pop(reason, 0)
        log.warning("admin", extra={**said, "outcome": "refused", "unlogged": unlogged})
