"""The path of a request, on one screen."""

from __future__ import annotations

from cachemw.aftermath import Aftermath
from cachemw.ask import Ask, AskReader
from cachemw.calls import Calls
from cachemw.directives import Mode
from cachemw.endpoints.base import Endpoint
from cachemw.errors import OnlyIfCached
from cachemw.exact import ExactTier, Resident
from cachemw.forward import Forwarder
from cachemw.http.messages import HttpRequest, Reply
from cachemw.replay import Hit, Replayer
from cachemw.semantic import SemanticTier
from cachemw.states import DependencyState


class RequestPath:
    """Answers a request to a cached endpoint from the cheapest rung that is good enough.

    Who asks, and that they may, is settled before: http/surface.py asks identity/.
    """

    def __init__(
        self,
        asks: AskReader,
        exact: ExactTier,
        semantic: SemanticTier | None,
        replayer: Replayer,
        calls: Calls,
        forwarder: Forwarder,
        lookup_state: DependencyState,
        aftermath: Aftermath,
    ) -> None:
        self._asks = asks
        self._exact = exact
        self._semantic = semantic
        self._replayer = replayer
        self._calls = calls
        self._forwarder = forwarder
        self._lookup_state = lookup_state
        self._aftermath = aftermath

    async def answer(self, request: HttpRequest, endpoint: Endpoint) -> Reply:
        """Return the reply. Raises HttpError's kinds and ClientGone, nothing else."""
        ask = await self._asks.read(request, endpoint)  # ask.py: parse, directives, key
        cached = ask.directives.mode is not Mode.OFF and endpoint.cacheable(ask.params)
        hit = await self._guarded_hit(ask) if cached else None
        if hit is not None:
            return hit
        if ask.directives.only_if_cached:
            raise OnlyIfCached("No stored answer may be used for this request.")
        if not cached:
            return await self._forwarder.bypass(ask)  # forward.py: the upstream, nothing kept
        # calls.py: single-flight, over processes shared.py; fetch.py, send.py: call; keep.py: store
        return await self._calls.answer(ask)

    async def _guarded_hit(self, ask: Ask) -> Reply | None:
        """Look up; a fault of ours that nothing below has foreseen is a miss, not an error."""
        try:
            hit = await self._look_up(ask)
            if hit is not None and self._aftermath.withholds(ask, hit):
                hit = None  # asked anew, to see whether it would have been right
            # replay.py: plain or SSE, fresh id
            reply = None if hit is None else self._replayer.reply(ask, hit)
            if hit is not None and reply is not None:
                self._aftermath.hit(ask, hit, reply.answer_id)  # aftermath.py: what it teaches
        except Exception as error:  # noqa: BLE001
            self._lookup_state.down(type(error).__name__)
            return None
        self._lookup_state.up()
        return reply

    async def _look_up(self, ask: Ask) -> Hit | None:
        if ask.directives.read:
            # exact.py: LRU, then store
            found = await self._exact.find(ask.key, ask.max_age, ask.load)
            if isinstance(found, Resident):
                return Hit(found, "exact", load=ask.load)
        if self._semantic is None or ask.directives.mode < Mode.SEMANTIC:
            return None
        # semantic.py: question, partition, embedding; category, candidates, decision
        self._semantic.prepare(ask)
        return await self._semantic.find(ask) if ask.directives.read else None
