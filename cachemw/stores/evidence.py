"""What a store keeps beside documents: judgements of hits, and which hits can still be judged.

All processes on one store learn from the same labels, and keep them over a restart.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from cachemw_policies.labels import Label


@dataclass(frozen=True, slots=True)
class Served:
    """A semantic hit that its client may judge: the id its answer had, and what it was.

    `entry` is the key of the stored answer, `tenant` whose request it was, `at` in seconds since
    the epoch. `score` is on the verifier's scale `scale`.
    """

    answer_id: str
    entry: bytes
    tenant: str
    category: str
    score: float
    scale: str
    at: float


@dataclass(frozen=True, slots=True)
class LabelBatch:
    """Labels in the order in which they were written, and the cursor to go on from."""

    labels: tuple[Label, ...]
    cursor: str


class Evidence(ABC):
    """Labels and served hits, both bounded: the oldest go first.

    Methods raise `StoreUnavailable` and nothing else, within the store's time limits.
    """

    @abstractmethod
    async def append(self, labels: Sequence[Label]) -> None:
        """Write labels, all or none."""

    @abstractmethod
    async def labels(self, after: str, limit: int) -> LabelBatch:
        """Return up to `limit` labels written after the cursor `after`; "" is the beginning.

        A cursor that is not known, or that points before the oldest that is kept, begins there.
        """

    @abstractmethod
    async def remember(self, served: Sequence[Served]) -> None:
        """Note hits, so that any process can be told whether they were right."""

    @abstractmethod
    async def take(self, answer_id: str) -> Served | None:
        """Return and forget a hit: each can be judged once. None: unknown, or too long ago."""
