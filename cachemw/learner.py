"""What runs beside the requests so that categories are current: labels, policies, gauges."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from cachemw_policies.category import PolicySet

from cachemw.categories.board import Categories
from cachemw.categories.classify import CategoryClassifier
from cachemw.categories.source import PolicySource
from cachemw.evidence.book import LabelBook
from cachemw.metrics import Metrics

log = logging.getLogger("cachemw.learner")

#: Trains a classifier; blocking.
Train = Callable[[PolicySet], CategoryClassifier]


class Learner:
    """Brings the board up to date; `source` is None where the policies are the shipped ones."""

    def __init__(
        self,
        categories: Categories,
        book: LabelBook,
        source: PolicySource | None,
        metrics: Metrics,
    ) -> None:
        self._categories = categories
        self._book = book
        self._source = source
        self._metrics = metrics
        self._train: Train | None = None
        # What was read first must not be put in force last, and training is for one at a time.
        self._changing = asyncio.Lock()
        # Read, and not in force yet: where training fails it is tried again at the next turn.
        self._pending: PolicySet | None = None

    @property
    def policies(self) -> PolicySet:
        """The policies in force."""
        return self._categories.policies

    async def begin(self, scale: str, train: Train) -> None:
        """Start to learn on a verifier's scale, and to name categories."""
        async with self._changing:
            policies = self._categories.policies
            self._categories.use(policies, await asyncio.to_thread(train, policies))
            self._categories.begin(scale)
            # Last: labels read before their scale is known would be passed over, and for good.
            self._train = train

    async def step(self) -> None:
        """Write what was judged here, read what anybody judged, and work out what follows."""
        if self._train is not None:
            await self._book.step()
            self._categories.refresh()

    async def reload(self) -> None:
        """Put a changed policy file in force; one that cannot be used changes nothing."""
        if self._source is None:
            return
        async with self._changing:
            policies = await asyncio.to_thread(self._source.poll) or self._pending
            self._metrics.policy_failed.set(self._source.failed)
            if policies is None:
                return
            self._pending = policies
            train = self._train
            classifier = None if train is None else await asyncio.to_thread(train, policies)
            self._categories.use(policies, classifier)
            self._pending = None
        log.info("policies in force", extra={"categories": len(policies.names)})

    async def aclose(self) -> None:
        """Write what waits."""
        await self._book.flush()
