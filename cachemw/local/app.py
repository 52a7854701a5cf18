"""The worker's HTTP surface: its routes, and how errors look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from cachemw.errors import HttpError, MethodNotAllowed, ModelNotFound, NotFound
from cachemw.local.delivery import json_response
from cachemw.local.errors import QueueFull
from cachemw.local.generate import Delta
from cachemw.local.scheduler import TurnScheduler
from cachemw.local.service import ServedModel, Service


def build_app(model: ServedModel, name: str, scheduler: TurnScheduler[Delta]) -> FastAPI:
    """Return the ASGI application; it starts and closes `scheduler` with its lifespan."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        scheduler.start()
        yield
        await asyncio.to_thread(scheduler.close)

    service = Service(model, name, scheduler)
    app = FastAPI(lifespan=lifespan, openapi_url=None)
    app.add_exception_handler(HttpError, _on_http_error)
    app.add_exception_handler(HTTPException, _on_routing_error)
    app.add_api_route("/v1/chat/completions", service.chat, methods=["POST"])
    app.add_api_route("/v1/completions", service.complete, methods=["POST"])

    @app.get("/v1/models")
    async def models() -> Response:
        return json_response({"object": "list", "data": [service.card()]})

    @app.get("/v1/models/{model_id:path}")
    async def one_model(model_id: str) -> Response:
        if model_id != name:
            raise ModelNotFound(f"the model '{model_id}' does not exist here", param="model")
        return json_response(service.card())

    @app.get("/healthz")
    async def healthz() -> Response:
        return json_response({"status": "ok"})

    return app


async def _on_http_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, HttpError):
        raise error
    headers = {"retry-after": str(error.retry_after_s)} if isinstance(error, QueueFull) else None
    return Response(
        error.body(), status_code=error.status, headers=headers, media_type="application/json"
    )


async def _on_routing_error(request: Request, error: Exception) -> Response:
    """Give the router's own 404 and 405 the same shape as every other error."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == MethodNotAllowed.status:
        return await _on_http_error(request, MethodNotAllowed("this path has no such method"))
    return await _on_http_error(request, NotFound("no such path"))
