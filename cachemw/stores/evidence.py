"""What a store keeps beside documents: judgements of hits, and which hits can still be judged.

All processes on one store learn from the same labels, and keep them over a restart. No texts are
kept: keys, names of categories, tenants and verifiers, and numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from cachemw_policies.labels import Label


@dataclass(frozen=True, slots=True)
class EvidenceBounds:
    """How much is kept: the newest `labels`, and `served` hits for `seconds` each."""

    labels: int = 20_000
    served: int = 100_000
    seconds: float = 3600.0

    def __post_init__(self) -> None:
        if not (self.labels > 0 and self.served > 0 and self.seconds > 0):
            msg = f"bounds must be positive: {self}"
            raise ValueError(msg)


DEFAULT_BOUNDS = EvidenceBounds()


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
    """Labels in the order in which they were written, and the cursor to go on from.

    `anew`: the cursor asked for is not one of this log, as after a flush or in another file. The
    batch begins with the oldest label, and what came before from elsewhere is to be forgotten.
    """

    labels: tuple[Label, ...]
    cursor: str
    anew: bool = False


class Evidence(ABC):
    """Labels and served hits, both bounded: the oldest go first.

    Methods raise `StoreUnavailable` and nothing else, within the store's time limits. Damaged
    records are skipped.
    """

    #: How many damaged records this process has met.
    damaged: int = 0

    @abstractmethod
    async def append(self, labels: Sequence[Label], batch: bytes) -> None:
        """Write labels, all or none.

        `batch` names them, up to 64 bytes and never used for others: what is there already is not
        written again, so that a write whose outcome is not known can be repeated.
        """

    @abstractmethod
    async def labels(self, after: str, limit: int) -> LabelBatch:
        """Return what is among the up to `limit` records written after the cursor `after`.

        "" is the beginning, and so is a cursor that is not known. One that points before the
        oldest that is kept leads on with the oldest. The end is reached when the cursor stays the
        same; a batch of damaged records alone is empty and moves it.
        """

    @abstractmethod
    async def remember(self, served: Sequence[Served]) -> None:
        """Note hits, so that any process can be told whether they were right."""

    @abstractmethod
    async def take(self, answer_id: str, tenant: str) -> Served | None:
        """Return and forget a hit of `tenant`: each can be judged once, by one of all who ask.

        None: unknown, too long ago, or somebody else's, which is left as it is.
        """
