"""Storing an answer: the write gates, then the document, then its place in the index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cachemw_policies.freshness import effective_ttl
from cachemw_policies.storing import AnswerFacts, SkipReason, StoreRules, why_not_store

from cachemw.admin.fence import Fence
from cachemw.ask import Ask
from cachemw.endpoints.base import Json, Verdict
from cachemw.exact import ExactTier
from cachemw.metrics import Metrics
from cachemw.replay import can_replay
from cachemw.semantic import SemanticTier
from cachemw.states import DependencyState
from cachemw.stores.base import Document

_NOTHING = Verdict(
    complete=False, truncated=False, blocked=False, prompt_tokens=0, completion_tokens=0
)


@dataclass(frozen=True, slots=True)
class KeepSettings:
    """`ttl` in seconds, `max_size` of one answer in bytes."""

    ttl: float
    max_size: int
    store_truncated: bool


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the upstream answered; `answer` is None where it is not complete. `seconds` it took."""

    status: int
    answer: Json | None
    seconds: float


class Keeper:
    """Stores what passes the gates; runs beside the reply and never fails it."""

    def __init__(
        self,
        settings: KeepSettings,
        exact: ExactTier,
        semantic: SemanticTier | None,
        metrics: Metrics,
        clock: Callable[[], float],
        state: DependencyState,
        fence: Fence,
    ) -> None:
        self._settings = settings
        self._exact = exact
        self._semantic = semantic
        self._metrics = metrics
        self._clock = clock
        self._state = state
        self._fence = fence

    async def keep(self, ask: Ask, fetched: Fetched, on_stored: Callable[[], None]) -> None:
        """Store the answer if it may be; `on_stored` is called as soon as the store has it."""
        try:
            await self._keep(ask, fetched, on_stored)
        except Exception as error:  # noqa: BLE001 - a fault of ours that nothing has foreseen
            self._metrics.store_failures.labels("keep").inc()
            self._state.down(type(error).__name__)
        else:
            self._state.up()

    async def _keep(self, ask: Ask, fetched: Fetched, on_stored: Callable[[], None]) -> None:
        """Pass the gates and write.

        An embedding that is not ready by then follows in a second write, so that neither a client
        nor the durability of the answer waits for it.
        """
        answer = fetched.answer or {}
        body = ask.endpoint.pack(answer)
        usable = fetched.answer is not None and can_replay(ask.endpoint, body)
        verdict = ask.endpoint.verdict(answer) if usable else _NOTHING
        ttl = effective_ttl(self._settings.ttl, ask.directives.ttl)
        document = self._document(ask, fetched, body, verdict, ttl)
        began = self._fence.began(fetched.seconds)
        facts = AnswerFacts(
            status=fetched.status,
            complete=verdict.complete,
            truncated=verdict.truncated,
            blocked=verdict.blocked,
            size=len(body),
            purged=self._fence.refuses(document, began),
        )
        reason = why_not_store(facts, self._rules(ask, ttl))
        if reason is None:
            await self._write(ask, document, began, on_stored)
        else:
            self._skip(reason)

    async def _write(
        self, ask: Ask, document: Document, began: float, on_stored: Callable[[], None]
    ) -> None:
        pending = ask.asked is not None and not ask.asked.embedded
        if not pending:
            document = await self._embedded(ask, document)
        if await self._exact.put(document):
            on_stored()
            self._metrics.stored.labels(document.category).inc()
        if await self._withdrawn(document, began):
            return
        if pending:
            document = await self._embedded(ask, document)
            if document.embedded is not None and not self._fence.refuses(document, began):
                await self._exact.put(document)
            if await self._withdrawn(document, began):
                return
        if self._semantic is not None:
            await self._semantic.add(document)

    async def _withdrawn(self, document: Document, began: float) -> bool:
        """Whether its like was removed since the call began; then what was written goes too.

        A purge that reads the store may have passed the place where this was then written.
        """
        if not self._fence.refuses(document, began):
            return False
        await self._exact.remove(document.key)
        self._skip(SkipReason.PURGED)
        return True

    def _skip(self, reason: SkipReason) -> None:
        self._metrics.store_skipped.labels(reason.value).inc()

    def _document(
        self, ask: Ask, fetched: Fetched, body: bytes, verdict: Verdict, ttl: float
    ) -> Document:
        now = self._clock()
        return Document(
            key=ask.key,
            tenant=ask.tenant,
            endpoint=ask.endpoint.name,
            model=str((fetched.answer or {}).get("model") or ask.route.model),
            created_at=now,
            expires_at=now + ttl,
            prompt="" if ask.asked is None else ask.asked.text,
            body=body,
            upstream_seconds=fetched.seconds,
            prompt_tokens=verdict.prompt_tokens,
            completion_tokens=verdict.completion_tokens,
            tags=ask.directives.tags,
        )

    async def _embedded(self, ask: Ask, document: Document) -> Document:
        embedded = None if self._semantic is None else await self._semantic.embedded(ask)
        return replace(document, embedded=embedded)

    def _rules(self, ask: Ask, ttl: float) -> StoreRules:
        return StoreRules(
            in_scope=ask.endpoint.cacheable(ask.params),
            store=ask.directives.store,
            store_truncated=self._settings.store_truncated,
            max_size=self._settings.max_size,
            ttl=ttl,
        )
