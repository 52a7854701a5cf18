"""`POST /cache/feedback {"id", "score"}`: a client says whether a stored answer was right.

`id` is that of an answer, which is known for semantic hits of the last hour, or of an entry, as the
header x-cachemw-entry has it. A score below 0.5 means wrong, and removes the entry. Only hits have
a score to learn from; an exact hit is a question asked again.

Whoever asks is known as for any request, and judges only what was served to its tenant or lies in
its entries; everything else does not exist for it. So nobody can remove more than it was served.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

import orjson
from cachemw_policies.labels import Label, Source

from cachemw.directives import Mode, read_directives
from cachemw.endpoints.base import Json
from cachemw.errors import (
    BadRequest,
    CacheUnavailable,
    MethodNotAllowed,
    NotFound,
    StoreUnavailable,
)
from cachemw.evidence.book import LabelBook
from cachemw.http.messages import JSON_TYPE, HttpRequest, Reply
from cachemw.parse import parse_object
from cachemw.stores.base import DocumentStore
from cachemw.stores.evidence import Served

_MAX_BODY_BYTES = 4096
_MAX_ID = 256
_FIELDS = ("id", "score")
_ENTRY_ID = re.compile(r"[0-9a-f]{64}")
_RIGHT_FROM = 0.5
_HEADERS = [JSON_TYPE, (b"cache-control", b"no-store")]

#: Removes an entry everywhere and says whether there was one; may raise StoreUnavailable.
Remove = Callable[[bytes], Awaitable[bool]]


class Verdict(StrEnum):
    """What came of a request; the values are metric labels."""

    RIGHT = "right"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class _Judgement:
    """A client's word on `id`. `tenants`: the caller's, and its scope's if it names one."""

    id: str
    right: bool
    tenants: tuple[str, ...]


class Feedback:
    """Answers requests that were admitted.

    `clock` returns Unix seconds. Hits reach the store a moment after they are served: one that is
    not known is looked for again `settle_s` later, as another process may have served it. That is
    to be a little longer than the time between two turns of the label book.
    """

    def __init__(
        self,
        book: LabelBook,
        store: DocumentStore,
        remove: Remove,
        *,
        clock: Callable[[], float],
        on_verdict: Callable[[Verdict], None],
        settle_s: float = 1.0,
    ) -> None:
        self._book = book
        self._store = store
        self._remove = remove
        self._clock = clock
        self._on_verdict = on_verdict
        self._settle_s = settle_s

    async def reply(self, request: HttpRequest) -> Reply:
        """Take one judgement. Raises HttpError."""
        if request.method != "POST":
            raise MethodNotAllowed(f"{request.method} is not allowed here.")
        judgement = await _read(request)
        try:
            if _ENTRY_ID.fullmatch(judgement.id):
                removed = await self._judge_entry(judgement)
            else:
                removed = await self._judge_hit(judgement)
        except StoreUnavailable:
            raise _unavailable() from None
        self._on_verdict(Verdict.RIGHT if judgement.right else Verdict.WRONG)
        body = orjson.dumps({"id": judgement.id, "removed": removed})
        return Reply(200, list(_HEADERS), body, layer="feedback")

    async def _judge_entry(self, judgement: _Judgement) -> bool:
        """Remove a wrong entry of the caller's; there is no score to learn from."""
        key = bytes.fromhex(judgement.id)
        document = await self._store.get(key)
        if document is None or document.tenant not in judgement.tenants:
            raise self._unknown()
        return not judgement.right and await self._remove(key)

    async def _judge_hit(self, judgement: _Judgement) -> bool:
        """Note what came of a hit, once, and remove the entry that was wrong."""
        hit = await self._taken(judgement)
        removed = False
        if not judgement.right:
            try:
                removed = await self._removed(hit)
            except BaseException:
                self._book.served(hit)  # so that the client can say it again
                raise
        label = Label(
            category=hit.category,
            score=hit.score,
            right=judgement.right,
            source=Source.FEEDBACK,
            scale=hit.scale,
            at=self._clock(),
        )
        self._book.judge(label)
        return removed

    async def _removed(self, hit: Served) -> bool:
        """Remove the entry that was served, unless another answer has taken its place since."""
        document = await self._store.get(hit.entry)
        if document is None or document.created_at > hit.at:
            return False
        return await self._remove(hit.entry)

    async def _taken(self, judgement: _Judgement) -> Served:
        hit = await self._look(judgement)
        if hit is None:
            await asyncio.sleep(self._settle_s)
            hit = await self._look(judgement)
        if hit is None:
            raise self._unknown()
        return hit

    async def _look(self, judgement: _Judgement) -> Served | None:
        for tenant in judgement.tenants:
            if (hit := await self._book.take(judgement.id, tenant)) is not None:
                return hit
        return None

    def _unknown(self) -> NotFound:
        """Return one answer for all cases, so that nothing is said of what others have."""
        self._on_verdict(Verdict.UNKNOWN)
        return NotFound(
            "Nothing to be judged has this id: it is not known, was judged already, or was served "
            "more than an hour ago.",
            param="id",
        )


async def _read(request: HttpRequest) -> _Judgement:
    """Read the body and the scope. Raises BadRequest naming the field, BodyTooLarge."""
    fields = parse_object(await request.body(_MAX_BODY_BYTES))
    for name in fields:
        if name not in _FIELDS:
            # Without the name: it is the client's text.
            raise BadRequest("The fields are 'id' and 'score', and no others.")
    caller = request.caller
    scoped = caller.scoped(read_directives(request.headers, Mode.FULL).scope)
    tenants = tuple(dict.fromkeys((caller.tenant, scoped)))
    return _Judgement(_id(fields), _score(fields) >= _RIGHT_FROM, tenants)


def _id(fields: Json) -> str:
    value = fields.get("id")
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_ID:
        raise BadRequest(f"'id' must be a string of 1 to {_MAX_ID} characters.", param="id")
    return value


def _score(fields: Json) -> float:
    value = fields.get("score")
    # A boolean is an int to Python.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise BadRequest("'score' must be a number from 0 to 1.", param="score")
    return float(value)


def _unavailable() -> CacheUnavailable:
    error = CacheUnavailable("The store does not answer; try again in a moment.")
    error.headers = ((b"retry-after", b"1"),)
    return error
