"""Joins the admin endpoints to the parts of a process that they act on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter

from cachemw.admin.audit import Audit
from cachemw.admin.categories import CategoriesSource
from cachemw.admin.fence import Fence
from cachemw.admin.labels import LabelImports
from cachemw.admin.routes import AdminRoutes
from cachemw.admin.service import EntryAdmin
from cachemw.admin.token import AdminToken
from cachemw.admin.wire import LineReader
from cachemw.config import Config, admin_token_sha256
from cachemw.endpoints.base import Endpoint
from cachemw.exact import ExactTier
from cachemw.semantic import SemanticTier
from cachemw.stores.base import Document, DocumentStore

# A text in JSON takes up to six bytes for one of its own; answers are rarely above 1.2.
_JSON_OVER_BODY = 4


@dataclass(frozen=True, slots=True)
class Copies:
    """What this process holds of the store: kept like it at once, and not only by the log."""

    exact: ExactTier
    semantic: SemanticTier | None

    async def forget(self, keys: Sequence[bytes]) -> None:
        """Drop documents from memory and index."""
        self.exact.forget(keys)
        if self.semantic is not None:
            await self.semantic.forget(keys)

    async def learn(self, document: Document) -> None:
        """Make a document that was put into the store findable here."""
        if self.semantic is not None:
            await self.semantic.add(document)


def entry_admin(
    config: Config,
    store: DocumentStore,
    copies: Copies,
    fence: Fence,
    endpoints: Mapping[str, Endpoint],
) -> EntryAdmin:
    """Return what reads and removes entries."""
    reader = LineReader(
        {each.name: each for each in endpoints.values()}, config.cache.max_answer_bytes
    )
    return EntryAdmin(store, reader, fence, time.time, forget=copies.forget, learn=copies.learn)


def admin_router(
    config: Config,
    env: Mapping[str, str],
    entries: EntryAdmin,
    categories: CategoriesSource,
    labels: LabelImports,
) -> APIRouter:
    """Return the endpoints under `/cache`. Raises ConfigError for a token that is not there."""
    token = AdminToken(admin_token_sha256(config.admin, env))
    max_line_bytes = _JSON_OVER_BODY * config.cache.max_answer_bytes
    audit = Audit(time.monotonic)
    return AdminRoutes(entries, token, audit, max_line_bytes, categories, labels).router()
