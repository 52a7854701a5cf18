"""Labels and served hits in this process's memory: they end with it."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from itertools import islice

from cachemw_policies.labels import Label

from cachemw.stores.evidence import Evidence, EvidenceBounds, LabelBatch, Served

_LONGEST_CURSOR = 18


class MemoryEvidence(Evidence):
    """A ring of labels, numbered from 1, and a dictionary of hits. `clock` returns Unix seconds."""

    def __init__(self, clock: Callable[[], float], bounds: EvidenceBounds) -> None:
        self._clock = clock
        self._bounds = bounds
        self._labels: deque[Label] = deque(maxlen=bounds.labels)
        self._written = 0
        self._last_batch = b""
        self._served: OrderedDict[tuple[str, str], Served] = OrderedDict()

    async def append(self, labels: Sequence[Label], batch: bytes) -> None:
        """Write labels; nothing fails here, so that only the last batch could come again."""
        if batch == self._last_batch:
            return
        self._last_batch = batch
        self._labels.extend(labels)
        self._written += len(labels)

    async def labels(self, after: str, limit: int) -> LabelBatch:
        """Return up to `limit` labels after the cursor, the number of the last one seen."""
        position, anew = self._position(after)
        oldest = self._written - len(self._labels)
        start = max(position - oldest, 0)
        found = tuple(islice(self._labels, start, start + limit))
        return LabelBatch(found, str(oldest + start + len(found)), anew)

    async def remember(self, served: Sequence[Served]) -> None:
        """Note hits; what is too old or too many goes, oldest first."""
        for hit in served:
            self._served[hit.answer_id, hit.tenant] = hit
            self._served.move_to_end((hit.answer_id, hit.tenant))
        while self._served:
            oldest = next(iter(self._served.values()))
            if len(self._served) <= self._bounds.served and not self._is_over(oldest):
                break
            self._served.popitem(last=False)

    async def take(self, answer_id: str, tenant: str) -> Served | None:
        """Return and forget a hit of `tenant`."""
        hit = self._served.pop((answer_id, tenant), None)
        return None if hit is None or self._is_over(hit) else hit

    def _position(self, cursor: str) -> tuple[int, bool]:
        """Return the number of the last label seen, and whether the cursor is not known."""
        if not cursor:
            return 0, False
        known = cursor.isascii() and cursor.isdigit() and len(cursor) <= _LONGEST_CURSOR
        if not known or int(cursor) > self._written:
            return 0, True
        return int(cursor), False

    def _is_over(self, hit: Served) -> bool:
        return hit.at <= self._clock() - self._bounds.seconds
