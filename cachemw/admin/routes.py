"""The `/cache/*` endpoints. Every operation needs the token and leaves a line in the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import asdict
from functools import partial
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import ValidationError

from cachemw.admin import described
from cachemw.admin.audit import Audit, Caller
from cachemw.admin.categories import CategoriesSource, categories_json
from cachemw.admin.imports import import_lines
from cachemw.admin.labels import MAX_LINE_BYTES, LabelImports
from cachemw.admin.media import LINES
from cachemw.admin.models import FilterQuery, ListQuery, PurgeRequest
from cachemw.admin.purges import Purges
from cachemw.admin.replies import Chunks, LinesReply, begun, json_reply, told
from cachemw.admin.service import EntryAdmin, Imported
from cachemw.admin.token import AdminToken
from cachemw.admin.wire import entry_json
from cachemw.errors import BadRequest, BodyTooLarge, HttpError, NotFound

_MAX_PURGE_BODY = 16 * 1024
_BEARER = HTTPBearer(auto_error=False, description="The admin token.")
_EntryId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="The entry's key in hex.")]
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]


class AdminRoutes:
    """The endpoints over their parts; `max_line_bytes` bounds a line of an import.

    Without `categories` there are none to show, and without `labels` they cannot be imported.
    """

    def __init__(
        self,
        entries: EntryAdmin,
        token: AdminToken,
        audit: Audit,
        max_line_bytes: int,
        categories: CategoriesSource | None = None,
        labels: LabelImports | None = None,
    ) -> None:
        self._entries = entries
        self._token = token
        self._audit = audit
        self._purges = Purges(entries, audit)
        self._max_line_bytes = max_line_bytes
        self._categories = categories
        self._labels = labels

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(
            prefix="/cache",
            tags=["admin"],
            dependencies=[Depends(self._let_in)],
            responses=described.ERRORS,
        )
        routes = (
            ("GET", "/stats", self.stats, described.STATS),
            ("GET", "/categories", self.categories, described.CATEGORIES),
            ("GET", "/entries", self.listing, described.LISTING),
            ("GET", "/entries/{entry_id}", self.get, described.GET),
            ("DELETE", "/entries/{entry_id}", self.delete, described.DELETE),
            ("POST", "/purge", self.purge, described.PURGE),
            ("GET", "/export", self.export, described.EXPORT),
            ("POST", "/import", self.load, described.IMPORT),
            ("POST", "/labels", self.load_labels, described.LABELS),
        )
        for method, path, handler, description in routes:
            router.add_api_route(path, handler, methods=[method], **description)
        return router

    async def stats(self, request: Request) -> Response:
        """Say how large the store is."""
        with self._audit.operation(_caller(request), "stats", {}):
            return json_reply(orjson.dumps(asdict(await self._entries.stats())))

    async def categories(self, request: Request) -> Response:
        """Say of each category what it holds, what is served of it and why, and what that wins.

        Entries and labels are those of the store; lookups, load and benefit those of the worker
        that answers.
        """
        with self._audit.operation(_caller(request), "categories", {}):
            views = () if self._categories is None else self._categories.view()
            return json_reply(categories_json(views))

    async def listing(self, request: Request, query: Annotated[ListQuery, Query()]) -> Response:
        """List what is known of entries, a line of JSON each, in no particular order.

        The lines are streamed as the store is read, so there are no pages; `limit` stops early.
        """
        wanted = query.wanted()
        about = {"filter": wanted.given(), "limit": query.limit}
        lines = self._entries.listing(wanted, query.limit)
        return await begun(self._audited(_caller(request), "list", about, lines))

    async def get(self, request: Request, entry_id: _EntryId) -> Response:
        """Return one entry with its prompt and its answer."""
        with self._audit.operation(_caller(request), "get", {"id": entry_id}):
            document = await self._entries.get(bytes.fromhex(entry_id))
            if document is None:
                raise _no_such_entry()
            return json_reply(entry_json(document))

    async def delete(self, request: Request, entry_id: _EntryId) -> Response:
        """Remove one entry from the store, and from the memory of every replica."""
        with self._audit.operation(_caller(request), "delete", {"id": entry_id}):
            if not await self._entries.delete(bytes.fromhex(entry_id)):
                raise _no_such_entry()
            return json_reply(orjson.dumps({"id": entry_id, "removed": True}))

    async def purge(self, request: Request) -> Response:
        """Remove what matches, from the store and from the memory of every replica.

        It goes on to its end when the client hangs up. With `Accept: application/x-ndjson` the
        counts come as lines while it runs; the last line is the result.
        """
        try:
            asked = await _purge_request(request)
        except HttpError:
            with self._audit.operation(_caller(request), "purge", {}):
                raise
        purge = self._purges.start(_caller(request), asked.wanted(), dry_run=asked.dry_run)
        if LINES in request.headers.get("accept", ""):
            return LinesReply(told(purge.progress()))
        return json_reply(await purge.result())

    async def export(self, request: Request, query: Annotated[FilterQuery, Query()]) -> Response:
        """Stream whole entries, a line of JSON each; `POST /cache/import` reads them back."""
        wanted = query.wanted()
        lines = self._entries.export(wanted)
        about = {"filter": wanted.given()}
        return await begun(self._audited(_caller(request), "export", about, lines))

    async def load(
        self,
        request: Request,
        *,
        keep_going: Annotated[bool, Query(description="Skip lines that are wrong.")] = False,
    ) -> Response:
        """Store exported entries, replacing those under the same ids; expired ones are skipped.

        The first line that is wrong ends it, with what came before it stored; with `keep_going`
        such lines are counted and the first of them reported.
        """
        about = {"keep_going": keep_going}
        done = Imported()
        load = partial(self._entries.load, so_far=done, keep_going=keep_going)
        with self._audit.operation(_caller(request), "import", about) as counts:
            body = request.stream()
            result = await import_lines(load, body, self._max_line_bytes, done, counts)
            return json_reply(orjson.dumps(result))

    async def load_labels(
        self,
        request: Request,
        *,
        keep_going: Annotated[bool, Query(description="Skip lines that are wrong.")] = False,
        dry_run: Annotated[bool, Query(description="Check and count only.")] = False,
    ) -> Response:
        """Learn from pairs that were judged offline; `cachemw calibrate --labels` writes them.

        The first line that is wrong ends it, one with a category that no policy names too; with
        `keep_going` such lines are counted. Labels are written 256 at a time, all or none; up to
        10,000 are taken at once. Those of another verifier are kept for when it is in force, and
        counted.
        """
        labels = self._labels
        if labels is None:
            raise NotFound("Nothing is learnt here.")
        about = {"keep_going": keep_going, "dry_run": dry_run}
        done = labels.counts(dry_run=dry_run)
        load = partial(labels.load, so_far=done, keep_going=keep_going)
        with self._audit.operation(_caller(request), "import labels", about) as counts:
            result = await import_lines(load, request.stream(), MAX_LINE_BYTES, done, counts)
            return json_reply(orjson.dumps(result))

    async def _let_in(self, request: Request, credentials: _Credentials) -> None:
        """Note who asks in `request.state`. Raises AdminClosed, NotAuthenticated."""
        client = "" if request.client is None else request.client.host
        presented = None if credentials is None else credentials.credentials
        try:
            who = self._token.check(presented)
        except HttpError as error:
            reason = error.code if presented is not None else "no token"
            self._audit.refused(str(reason), client, f"{request.method} {request.url.path}")
            raise
        request.state.caller = Caller(who, client)

    async def _audited(
        self, caller: Caller, name: str, about: Mapping[str, object], lines: Chunks
    ) -> Chunks:
        """Pass lines on, and log how many there were when they end or the client hangs up."""
        sent = 0
        with self._audit.operation(caller, name, about) as counts:
            try:
                async with aclosing(lines):
                    async for chunk in lines:
                        sent += chunk.count(b"\n")
                        yield chunk
            finally:
                counts["lines"] = sent


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


def _no_such_entry() -> NotFound:
    return NotFound("There is no such entry, or it has expired.", param="id")


async def _purge_request(request: Request) -> PurgeRequest:
    """Read the body here and not through FastAPI, which reads it whole before anything else."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_PURGE_BODY:
            raise BodyTooLarge(f"The body is over the limit of {_MAX_PURGE_BODY} bytes.")
    try:
        asked = PurgeRequest.model_validate_json(bytes(body), strict=True)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or None
        raise BadRequest(f"{where or 'The body'}: {problem['msg']}.", param=where) from None
    if asked.wanted().is_empty and not asked.all:
        raise BadRequest(
            'No condition is given; to remove everything say "all": true.', param="all"
        )
    return asked
