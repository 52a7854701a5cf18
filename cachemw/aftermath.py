"""What hits and answers teach: labels, what a call costs, how often entries are used."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from cachemw_policies.freshness import effective_ttl

from cachemw.accounting.ledger import Accounts
from cachemw.admin.fence import Fence
from cachemw.ask import Ask
from cachemw.categories.board import Categories
from cachemw.endpoints.base import Json
from cachemw.errors import CacheComponentError
from cachemw.evidence.book import LabelBook
from cachemw.exact import ExactTier
from cachemw.keep import Fetched
from cachemw.quotas.ledger import Ledger
from cachemw.replay import Hit
from cachemw.shadow.checks import MissChecks, ShadowChecks
from cachemw.stores.base import Document
from cachemw.stores.evidence import Served


class Aftermath(Protocol):
    """What is told of hits and answers; returns at once and raises nothing that is expected."""

    def withholds(self, ask: Ask, hit: Hit) -> bool:
        """Whether a hit is to be asked anew, to learn whether it would have been right."""

    def hit(self, ask: Ask, hit: Hit, answer_id: str) -> None:
        """Note a hit that is being served."""

    def answered(self, ask: Ask, fetched: Fetched) -> None:
        """Note a whole answer of the model that was asked for."""


class Learning:
    """Passes on what is to be learnt from each."""

    def __init__(
        self,
        categories: Categories,
        accounts: Accounts,
        book: LabelBook,
        shadows: ShadowChecks,
        misses: MissChecks,
        clock: Callable[[], float],
    ) -> None:
        self._categories = categories
        self._accounts = accounts
        self._book = book
        self._shadows = shadows
        self._misses = misses
        self._clock = clock

    def withholds(self, ask: Ask, hit: Hit) -> bool:
        """Choose some semantic hits of clients who pay for every call themselves."""
        if hit.layer != "semantic" or ask.near is None:
            return False
        ask.withheld = self._shadows.withholds(ask, ask.near)
        return ask.withheld

    def hit(self, ask: Ask, hit: Hit, answer_id: str) -> None:
        """Remember a semantic hit, so that its client can judge it, and perhaps check it."""
        near = ask.near
        if hit.layer != "semantic" or near is None:
            return
        self._book.served(
            Served(
                answer_id,
                near.document.key,
                ask.tenant,
                near.category,
                near.score,
                near.scale,
                self._clock(),
            )
        )
        self._shadows.consider(ask, near)

    def answered(self, ask: Ask, fetched: Fetched) -> None:
        """Compare the answer with a candidate that was not served, and note what it cost."""
        if ask.asked is None:
            return
        self._accounts.answered(ask.category, fetched.seconds, _usd(ask, fetched.answer))
        if ask.near is not None and (ask.withheld or not _served(ask)):
            self._misses.consider(ask, ask.near, fetched.answer)


class Noting:
    """Notes the use of entries, renews those with a sliding TTL, and passes hits on.

    `learn` makes a renewed entry findable for as long as it now lives; `ttl` in seconds bounds that
    of all categories.
    """

    def __init__(
        self,
        inner: Aftermath,
        categories: Categories,
        exact: ExactTier,
        learn: Callable[[Document], Awaitable[None]],
        ledger: Ledger,
        fence: Fence,
        clock: Callable[[], float],
        ttl: float | None,
    ) -> None:
        self._inner = inner
        self._categories = categories
        self._exact = exact
        self._learn = learn
        self._ledger = ledger
        self._fence = fence
        self._clock = clock
        self._ttl = ttl
        self._renewals: set[asyncio.Task[None]] = set()

    def withholds(self, ask: Ask, hit: Hit) -> bool:
        """Pass it on."""
        return self._inner.withholds(ask, hit)

    def hit(self, ask: Ask, hit: Hit, answer_id: str) -> None:
        """Note a hit; an entry is renewed once half of its time is over, beside the reply."""
        document = hit.resident.document
        self._ledger.hit(document.key)
        policy = self._categories.policy(document.category)
        if policy.sliding:
            now, ttl = self._clock(), effective_ttl(policy.ttl, self._ttl)
            if document.expires_at - now < ttl / 2:
                self._renew(replace(document, expires_at=now + ttl))
        self._inner.hit(ask, hit, answer_id)

    def answered(self, ask: Ask, fetched: Fetched) -> None:
        """Pass it on."""
        self._inner.answered(ask, fetched)

    def _renew(self, document: Document) -> None:
        task = asyncio.create_task(self._renewed(document, self._fence.began(0.0)))
        self._renewals.add(task)
        task.add_done_callback(self._renewals.discard)

    async def _renewed(self, document: Document, began: float) -> None:
        """Write an entry again, unless it was removed meanwhile: then it stays so."""
        if self._fence.refuses(document, began) or not await self._exact.put(document):
            return
        if self._fence.refuses(document, began):
            await self._exact.remove(document.key)
            return
        with suppress(CacheComponentError):
            await self._learn(document)


def _served(ask: Ask) -> bool:
    return ask.decision is not None and ask.decision.served is not None


def _usd(ask: Ask, answer: Json | None) -> float:
    price = ask.route.price
    if answer is None or not (price.prompt or price.completion):
        return 0.0
    verdict = ask.endpoint.verdict(answer)
    return price.of(verdict.prompt_tokens, verdict.completion_tokens)
