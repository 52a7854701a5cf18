"""What the server saw, for tests to look at; written by one event loop, read from any thread."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived; `body` is parsed JSON, or the bytes where it is none."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: Any


@dataclass(slots=True)
class Record:
    """Counters, and the last requests in full (bounded: benchmarks send millions)."""

    calls: Counter[str] = field(default_factory=Counter)
    requests: deque[Seen] = field(default_factory=lambda: deque(maxlen=4096))
    open_streams: int = 0
    finished_streams: int = 0
    disconnects: int = 0
    uploaded_bytes: int = 0
