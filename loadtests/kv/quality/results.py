"""Results as JSON lines, so that an interrupted run goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Result:
    """One point: a codec at one level, on all windows of one model.

    `key` names everything that the figures depend on (see bench.py). Lists hold a value a window:
    bytes of the prefix in containers, rise of the mean nats a token over the uncompressed prefix,
    mean KL(uncompressed || compressed) in nats a token. `values` is how many numbers a window's
    prefix holds, keys and values.
    """

    key: str
    model: str
    codec: str
    level: str
    chunk: int
    part: str
    values: int
    sizes: Sequence[int]
    nll: Sequence[float]
    kl: Sequence[float]
    seconds: float

    @property
    def bits(self) -> float:
        """Bits a value, everything counted."""
        return 8 * sum(self.sizes) / (self.values * len(self.sizes))


class ResultFile:
    """One file that only grows; the last result of a key counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = {row["key"]: row for row in _rows(path)}

    def get(self, key: str) -> dict[str, Any] | None:
        """Return what was stored under `key`."""
        return self._known.get(key)

    def add(self, row: dict[str, Any]) -> None:
        """Store a row, at once."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # The newline comes first: what an interrupted run left half written ends there.
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(row, separators=(",", ":")))
        self._known[row["key"]] = row


def as_row(result: Any) -> dict[str, Any]:
    """Return a result as it is stored."""
    return asdict(result)


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    rows = []
    for line in path.read_text("utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue  # the line that was being written when the run was interrupted
    return rows
