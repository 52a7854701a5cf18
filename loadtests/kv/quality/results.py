"""Results as JSON lines, so that an interrupted run goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar


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


@dataclass(frozen=True, slots=True)
class Reference:
    """The model itself: mean nats a token of each window over the uncompressed prefix, and alone.

    `alone`: with nothing but BOS before the continuation, which is what losing all KV costs.
    """

    key: str
    model: str
    whole: Sequence[float]
    alone: Sequence[float]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One point of a task with right answers: a score of 0 to 1 for each probe.

    `sizes`, `values`: bytes of each probe's prefix in containers, and the numbers it holds.
    """

    key: str
    model: str
    task: str
    codec: str
    level: str
    sizes: Sequence[int]
    values: Sequence[int]
    scores: Sequence[float]
    seconds: float

    @property
    def bits(self) -> float:
        """Bits a value, everything counted."""
        return 8 * sum(self.sizes) / sum(self.values)


R = TypeVar("R", Result, Reference, ProbeResult)


class ResultFile:
    """One file that only grows; the last result of a key counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = {row["key"]: row for row in _rows(path)}

    def known(self, kind: type[R], key: str) -> R | None:
        """Return what was stored under `key`, if anything."""
        row = self._known.get(key)
        return None if row is None else kind(**row)

    def add(self, result: Result | Reference | ProbeResult) -> None:
        """Store a result, at once."""
        row = asdict(result)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # The newline comes first: what an interrupted run left half written ends there.
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(row, separators=(",", ":")))
        self._known[row["key"]] = row


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
