"""Read server-sent events off the wire, strictly: what a client would let pass fails here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

DONE = "[DONE]"


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `data` is parsed JSON, or `[DONE]`."""

    name: str | None
    data: Any


def parse(raw: bytes) -> list[Event]:
    """Split a finished stream into its events; it must end with an empty line."""
    text = raw.decode().replace("\r\n", "\n")
    assert text.endswith("\n\n"), f"unfinished event at the end: {text[-80:]!r}"
    events = (_event(block) for block in text.removesuffix("\n\n").split("\n\n"))
    return [event for event in events if event is not None]


def _event(block: str) -> Event | None:
    """Read one block; None for a comment."""
    fields: dict[str, str] = {}
    for line in block.split("\n"):
        name, _, value = line.partition(": ")
        if name:
            assert name not in fields, f"field {name!r} twice in one event: {block!r}"
            fields[name] = value
    if "data" not in fields:
        return None
    data = fields["data"]
    return Event(fields.get("event"), data if data == DONE else json.loads(data))
