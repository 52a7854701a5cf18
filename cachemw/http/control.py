"""Everything beside /v1: health, readiness, metrics, and the description of the API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from cachemw import __version__
from cachemw.endpoints.base import Endpoint
from cachemw.errors import HttpError, MethodNotAllowed, NotFound
from cachemw.metrics import Metrics

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class Readiness:
    """Whether this process takes requests; it is not failed by a cache that is away."""

    def __init__(self) -> None:
        self.started = False
        self.draining = False

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
) -> FastAPI:
    """Return the FastAPI application; `refresh` is awaited before metrics are read."""
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

    @app.exception_handler(HTTPException)
    async def not_ours(request: Request, error: HTTPException) -> Response:
        """Answer in OpenAI's shape, with a hint for the commonest mistake."""
        hint = f" Did you mean /v1{request.url.path}?" if _looks_openai(request) else ""
        fault: HttpError
        if error.status_code == MethodNotAllowed.status:
            fault = MethodNotAllowed(f"{request.method} is not allowed here.")
        else:
            fault = NotFound(f"No such path.{hint}")
        return Response(fault.body(), status_code=fault.status, media_type="application/json")

    _describe(app, endpoints)
    return app


def _looks_openai(request: Request) -> bool:
    return request.url.path in ("/chat/completions", "/completions", "/embeddings", "/responses")


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
