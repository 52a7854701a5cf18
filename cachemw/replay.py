"""From a stored answer to a reply that a client library cannot tell from a real one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

import orjson

from cachemw.ask import Ask
from cachemw.endpoints.base import Endpoint, Fresh, Json
from cachemw.exact import Fresh as AgeOf
from cachemw.exact import Resident
from cachemw.explain import explained
from cachemw.http.messages import SSE_TYPE, Reply, Stream
from cachemw.metrics import Metrics
from cachemw.stores.base import Document
from cachemw.upstreams.router import Route

# A stream of more pieces than this only costs both sides time.
_MAX_PIECES = 400


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """Replayed streams: characters a piece, and seconds between two pieces (0: no pacing)."""

    piece: int = 24
    pause: float = 0.0


class Hit(NamedTuple):
    """What is to be served, from which layer; `similarity` for semantic hits.

    `load` is the upstream's, in [0, 1], under which it was chosen.
    """

    resident: Resident
    layer: str
    similarity: float | None = None
    load: float = 0.0


class Replayer:
    """Replays stored answers, plain or as SSE, with a fresh id and time."""

    def __init__(
        self,
        settings: ReplaySettings,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        rng: Random,
        age_of: AgeOf,
    ) -> None:
        self._settings = settings
        self._age_of = age_of
        self._metrics = metrics
        self._clock = clock
        self._rng = rng

    def reply(self, ask: Ask, hit: Hit) -> Reply:
        """Return the reply to a hit."""
        now = self._clock()
        document = hit.resident.document
        fixed = hit.resident.headers
        headers = [
            SSE_TYPE if ask.stream else fixed[0],
            *fixed[1:],
            (b"x-cachemw-layer", hit.layer.encode()),
            (b"age", b"%d" % max(0.0, now - document.created_at)),
            (b"cache-status", self._hit_status(document, hit, now)),
        ]
        if hit.similarity is not None:
            headers.append((b"x-cachemw-similarity", b"%.4f" % hit.similarity))
        headers += explained(ask, document.category if hit.layer == "exact" else None)
        self._count(document, ask.route)
        fresh = self._fresh(now)
        reply = Reply(200, headers, layer=hit.layer, category=document.category)
        reply.answer_id = f"{ask.endpoint.id_prefix or ''}{fresh.token}"
        if ask.stream:
            reply.stream = self._paced(self.events(ask, document.body, fresh))
        else:
            reply.body = ask.endpoint.render(document.body, fresh)
        return reply

    def answer_events(self, ask: Ask, answer: Json) -> Stream:
        """Replay, as SSE, an answer that another request has just got in plain form."""
        packed = ask.endpoint.pack(answer)
        return self._paced(self.events(ask, packed, self._fresh(self._clock())))

    def answer_body(self, ask: Ask, answer: Json) -> bytes:
        """Render, in plain form, an answer that another request has just got as SSE."""
        return ask.endpoint.render(ask.endpoint.pack(answer), self._fresh(self._clock()))

    def stored_body(self, ask: Ask, document: Document) -> bytes:
        """Render a stored answer in plain form for a call that another process has made."""
        return ask.endpoint.render(document.body, self._fresh(self._clock()))

    def events(self, ask: Ask, body: bytes, fresh: Fresh) -> Iterator[bytes]:
        """Return the SSE events of a stored answer, long ones in longer pieces."""
        piece = max(self._settings.piece, len(body) // _MAX_PIECES)
        return ask.endpoint.events(orjson.loads(body), fresh, usage=ask.usage, piece=piece)

    async def _paced(self, events: Iterator[bytes]) -> Stream:
        for event in events:
            yield event
            # Also without a pause: one long replay must not hold up everybody else.
            await asyncio.sleep(self._settings.pause)

    def _fresh(self, now: float) -> Fresh:
        return Fresh(f"{self._rng.getrandbits(116):029x}", int(now))

    def _hit_status(self, document: Document, hit: Hit, now: float) -> bytes:
        """RFC 9211, section 2."""
        return b'cachemw; hit; ttl=%d; key="%s"; detail=%s' % (
            max(0.0, self._age_of(document, now, hit.load).ttl_left),
            document.key[:8].hex().encode(),
            hit.layer.encode(),
        )

    def _count(self, document: Document, route: Route) -> None:
        metrics = self._metrics
        metrics.saved_seconds.inc(document.upstream_seconds)
        metrics.saved_prompt_tokens.inc(document.prompt_tokens)
        metrics.saved_completion_tokens.inc(document.completion_tokens)
        usd = route.price.of(document.prompt_tokens, document.completion_tokens)
        if usd:
            metrics.saved_usd.inc(usd)


def can_replay(endpoint: Endpoint, body: bytes) -> bool:
    """Whether a stored form can be served in every form: an upstream may answer in any shape."""
    if not endpoint.streams:
        return True
    try:
        for _ in endpoint.events(orjson.loads(body), Fresh("", 0), usage=True, piece=len(body) + 1):
            pass
    except Exception:  # noqa: BLE001 - whatever a shape that nobody foresaw runs into
        return False
    return True
