"""The fake upstream, served; and official clients for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from loadtests.fake_upstream import FakeUpstream
from loadtests.fake_upstream.record import Record
from tests.support.servers import ServerThread


@dataclass(frozen=True, slots=True)
class RunningFake:
    """A fake upstream on a port of this machine."""

    url: str
    record: Record

    def calls(self, endpoint: str = "chat.completions") -> int:
        """Return how often an API has been called."""
        return self.record.calls[endpoint]

    def asked(self, text: str) -> int:
        """Return how many of the last requests had `text` somewhere in their body."""
        return sum(text in str(seen.body) for seen in tuple(self.record.requests))


@contextmanager
def running_fake(**options: Any) -> Iterator[RunningFake]:
    """Serve a fresh fake upstream for as long as the block runs."""
    app = FakeUpstream(**options)
    with ServerThread(app) as server:
        yield RunningFake(server.url, app.record)
