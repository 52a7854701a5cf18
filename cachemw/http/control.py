"""Everything beside /v1: health, readiness, metrics, and the description of the API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse

from cachemw import __version__
from cachemw.endpoints.base import Endpoint
from cachemw.http.faults import answer_faults
from cachemw.metrics import Metrics

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class Readiness:
    """Whether this process takes requests; it is not failed by a cache that is away.

    `on_start` is called once, when everything is loaded and before readiness is told.
    """

    def __init__(self, on_start: Callable[[], object] = lambda: None) -> None:
        self._on_start = on_start
        self.started = False
        self.draining = False

    def start(self) -> None:
        """Note that everything is loaded."""
        self._on_start()
        self.started = True

    @property
    def reason(self) -> str | None:
        """Why not, or None."""
        if self.draining:
            return "draining"
        return None if self.started else "starting"


def control_app(
    metrics: Metrics,
    readiness: Readiness,
    endpoints: dict[str, Endpoint],
    lifespan: Lifespan,
    refresh: Callable[[], Awaitable[None]],
    routers: Sequence[APIRouter] = (),
) -> FastAPI:
    """Return the FastAPI application; `refresh` is awaited before metrics are read.

    `routers` are served beside what is here, with the same answers to errors.
    """
    app = FastAPI(
        title="cachemw",
        version=__version__,
        summary="A caching middleware for LLMs, in front of any OpenAI-compatible API.",
        lifespan=lifespan,
    )

    @app.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        """Say that the process is alive. Depends on nothing else."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["health"], responses={503: {"description": "Not ready"}})
    async def readyz() -> JSONResponse:
        """Say whether requests are welcome."""
        reason = readiness.reason
        status = 200 if reason is None else 503
        return JSONResponse({"status": reason or "ready"}, status_code=status)

    @app.get("/metrics", tags=["metrics"], response_class=Response)
    async def expose() -> Response:
        """Expose the Prometheus metrics."""
        await refresh()
        metrics.fold()
        # Reading and joining the figures of many workers takes longer than the event loop may stop.
        body, content_type = await asyncio.to_thread(metrics.expose)
        return Response(body, media_type=content_type)

    for router in routers:
        app.include_router(router)
    answer_faults(app)
    _describe(app, endpoints)
    return app


def _describe(app: FastAPI, endpoints: dict[str, Endpoint]) -> None:
    """Add the proxied endpoints, which FastAPI does not serve, to its OpenAPI document."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        for path, endpoint in endpoints.items():
            document["paths"][path] = {"post": _operation(endpoint)}
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    body = {"content": {"application/json": {"schema": {"type": "object"}}}}
    return {
        "summary": f"OpenAI's {endpoint.name}, answered from the cache where that is good enough.",
        "operationId": endpoint.name.replace(".", "_"),
        "tags": ["openai"],
        "requestBody": {**body, "required": True},
        "responses": {
            "200": {"description": "The answer.", **body},
            "default": {"description": "OpenAI's error object.", **body},
        },
    }
