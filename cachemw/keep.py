"""Storing an answer: the write gates, then the document, then its place in the index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cachemw_policies.category import CategoryPolicy
from cachemw_policies.freshness import effective_ttl
from cachemw_policies.personal import personal
from cachemw_policies.storing import AnswerFacts, SkipReason, StoreRules, why_not_store

from cachemw.admin.fence import Fence
from cachemw.ask import Ask
from cachemw.categories.board import Categories
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
    """`ttl` in seconds bounds that of all categories; `max_size` of one answer in bytes."""

    ttl: float | None
    max_size: int
    store_truncated: bool


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the upstream answered; `answer` is None where it is not complete. `seconds` it took."""

    status: int
    answer: Json | None
    seconds: float


@dataclass(slots=True)
class _Made:
    """An answer on its way through the gates; `reason` is the last one's, if it was closed."""

    fetched: Fetched
    body: bytes
    verdict: Verdict
    model: str
    began: float
    reason: SkipReason | None = None
    counted: bool = False


class Keeper:
    """Stores what passes the gates; runs beside the reply and never fails it."""

    def __init__(
        self,
        settings: KeepSettings,
        exact: ExactTier,
        semantic: SemanticTier | None,
        categories: Categories,
        metrics: Metrics,
        clock: Callable[[], float],
        state: DependencyState,
        fence: Fence,
    ) -> None:
        self._settings = settings
        self._exact = exact
        self._semantic = semantic
        self._categories = categories
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

        Where the embedding is not there yet, and with it the category, the answer is written at
        once if every category would have it, and for no longer than any would; it is written again
        when both are known. So neither a client nor the durability of the answer waits for them.
        """
        made = self._made(ask, fetched)
        first = None
        if ask.asked is not None and not ask.asked.embedded:
            first = self._document(ask, made, self._first_policy(ask))
            if first is not None and not await self._written(first, made, on_stored):
                return
        policy = await self._policy(ask)
        document = self._document(ask, made, policy)
        if document is None:
            self._skip(made.reason)
            if first is not None:
                await self._exact.remove(ask.key)
            return
        document = await self._embedded(ask, document)
        if await self._written(document, made, on_stored) and self._semantic is not None:
            await self._semantic.add(document)

    async def _written(
        self, document: Document, made: _Made, on_stored: Callable[[], None]
    ) -> bool:
        """Write a document; returns whether it is there to stay."""
        if self._fence.refuses(document, made.began):
            self._skip(SkipReason.PURGED)
            return False
        if await self._exact.put(document):
            on_stored()
            if not made.counted:
                made.counted = True
                self._metrics.stored.labels(document.category).inc()
        return not await self._withdrawn(document, made.began)

    def _made(self, ask: Ask, fetched: Fetched) -> _Made:
        answer = fetched.answer or {}
        body = ask.endpoint.pack(answer)
        usable = fetched.answer is not None and can_replay(ask.endpoint, body)
        verdict = ask.endpoint.verdict(answer) if usable else _NOTHING
        model = str(answer.get("model") or ask.route.model)
        return _Made(fetched, body, verdict, model, self._fence.began(fetched.seconds))

    async def _policy(self, ask: Ask) -> CategoryPolicy:
        """Return what holds; where the question could not be embedded, what every category says."""
        if self._semantic is None or await self._semantic.categorised(ask):
            return self._categories.policy(ask.category)
        return self._categories.strictest

    def _first_policy(self, ask: Ask) -> CategoryPolicy:
        """Return what holds for a question whose category may not be known yet."""
        named = ask.named
        return self._categories.strictest if named is None else self._categories.policy(named)

    def _document(self, ask: Ask, made: _Made, policy: CategoryPolicy) -> Document | None:
        """Return what is to be stored; None, with the reason noted, where nothing is."""
        text = "" if ask.asked is None else ask.asked.text
        ttl = effective_ttl(policy.longest_ttl, self._settings.ttl)
        ttl = effective_ttl(ttl, ask.directives.ttl)
        now = self._clock()
        document = Document(
            key=ask.key,
            tenant=ask.tenant,
            endpoint=ask.endpoint.name,
            model=made.model,
            created_at=now,
            expires_at=now + ttl,
            prompt=text,
            body=made.body,
            upstream_seconds=made.fetched.seconds,
            prompt_tokens=made.verdict.prompt_tokens,
            completion_tokens=made.verdict.completion_tokens,
            tags=ask.directives.tags,
            category=policy.name,
        )
        facts = AnswerFacts(
            status=made.fetched.status,
            complete=made.verdict.complete,
            truncated=made.verdict.truncated,
            blocked=made.verdict.blocked,
            size=len(made.body),
            purged=self._fence.refuses(document, made.began),
        )
        made.reason = why_not_store(facts, self._rules(ask, policy, ttl))
        return document if made.reason is None else None

    async def _withdrawn(self, document: Document, began: float) -> bool:
        """Whether its like was removed since the call began; then what was written goes too.

        A purge that reads the store may have passed the place where this was then written.
        """
        if not self._fence.refuses(document, began):
            return False
        await self._exact.remove(document.key)
        self._skip(SkipReason.PURGED)
        return True

    def _skip(self, reason: SkipReason | None) -> None:
        if reason is not None:
            self._metrics.store_skipped.labels(reason.value).inc()

    async def _embedded(self, ask: Ask, document: Document) -> Document:
        embedded = None if self._semantic is None else await self._semantic.embedded(ask)
        return replace(document, embedded=embedded)

    def _rules(self, ask: Ask, policy: CategoryPolicy, ttl: float) -> StoreRules:
        return StoreRules(
            in_scope=ask.endpoint.cacheable(ask.params),
            store=ask.directives.store,
            store_truncated=self._settings.store_truncated,
            max_size=self._settings.max_size,
            ttl=ttl,
            category=policy.allow_caching,
            personal=policy.personalised and personal(_question(ask)),
        )


def _question(ask: Ask) -> str:
    """Return the question, also of a request that is not looked up by meaning."""
    if ask.asked is not None:
        return ask.asked.text
    question = ask.endpoint.question(ask.params)
    return "" if question is None else question.text
