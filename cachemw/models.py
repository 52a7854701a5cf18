"""`GET /v1/models`: the models of all upstreams in one list."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import orjson

from cachemw.endpoints.base import Json
from cachemw.errors import UpstreamError, UpstreamUnavailable
from cachemw.forward import Forwarder
from cachemw.http.messages import JSON_TYPE, HttpRequest, Reply
from cachemw.upstreams.base import UpstreamRequest
from cachemw.upstreams.headers import to_upstream
from cachemw.upstreams.router import ANY_MODEL, Backend, Router

_MAX_LIST_BYTES = 8 * 1024 * 1024


class ModelList:
    """Asks every upstream and merges what they list with the names that are configured."""

    def __init__(self, router: Router, forwarder: Forwarder) -> None:
        self._router = router
        self._forwarder = forwarder

    async def reply(self, request: HttpRequest) -> Reply:
        """Return the list. One upstream alone answers for itself, errors and all."""
        if len(self._router.backends) == 1 and not self._router.backends[0].aliases:
            return await self._forwarder.passthrough(request)
        await request.body(0)
        asked = (self._listed(backend, request) for backend in self._router.backends)
        lists = await asyncio.gather(*asked)
        if all(models is None for models in lists):
            raise UpstreamUnavailable("No upstream could list its models.")
        by_id = {
            m["id"]: m for models in lists for m in models or [] if isinstance(m.get("id"), str)
        }
        body = orjson.dumps({"object": "list", "data": list(by_id.values())})
        return Reply(200, [JSON_TYPE], body)

    async def _listed(self, backend: Backend, request: HttpRequest) -> list[Json] | None:
        """Return one upstream's models, None where it does not say."""
        named = [
            {"id": name, "object": "model", "created": 0, "owned_by": backend.upstream.name}
            for name in (*backend.models, *backend.aliases)
            if name != ANY_MODEL
        ]
        headers = to_upstream(request.header_list, rewritten=True)
        try:
            reply = await backend.upstream.send(
                UpstreamRequest("GET", "/v1/models", request.query, headers, b"")
            )
            body = b""
            async with aclosing(reply.chunks) as chunks:
                async for chunk in chunks:
                    body += chunk
                    if len(body) > _MAX_LIST_BYTES:
                        return named or None
            listed = orjson.loads(body).get("data")
        except (UpstreamError, orjson.JSONDecodeError, AttributeError):
            return named or None
        # A backend that is limited to certain models lists those alone.
        rows = listed if isinstance(listed, list) else []
        known = [m for m in rows if isinstance(m, dict)]
        if ANY_MODEL not in backend.models:
            known = [m for m in known if m.get("id") in backend.models]
        return named + known
