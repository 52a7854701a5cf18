"""How the control endpoints answer errors: in OpenAI's shape, from the one tree of errors."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from cachemw.errors import (
    BadRequest,
    CacheUnavailable,
    HttpError,
    MethodNotAllowed,
    NotFound,
    StoreUnavailable,
)

log = logging.getLogger("cachemw.http")

_OPENAI_PATHS = ("/chat/completions", "/completions", "/embeddings", "/responses")


def answer_faults(app: FastAPI) -> None:
    """Register what becomes of every exception."""

    @app.exception_handler(HTTPException)
    async def not_ours(request: Request, error: HTTPException) -> Response:
        """Answer with a hint for the commonest mistake."""
        if error.status_code == MethodNotAllowed.status:
            return fault_reply(MethodNotAllowed(f"{request.method} is not allowed here."))
        path = request.url.path
        hint = f" Did you mean /v1{path}?" if path in _OPENAI_PATHS else ""
        return fault_reply(NotFound(f"No such path.{hint}"))

    @app.exception_handler(HttpError)
    async def ours(_: Request, error: HttpError) -> Response:
        return fault_reply(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        """Name the first field at fault, without its value."""
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"][1:])
        return fault_reply(BadRequest(f"{where}: {problem['msg']}.", param=where or None))

    @app.exception_handler(StoreUnavailable)
    async def store_away(_: Request, error: StoreUnavailable) -> Response:  # noqa: ARG001
        return fault_reply(CacheUnavailable("The store does not answer."))

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> Response:
        # The message may quote an entry, so only the kind of error is logged.
        log.error("request failed", extra={"error": type(error).__name__})
        return fault_reply(HttpError("Internal error."))


def fault_reply(fault: HttpError) -> Response:
    """Return the answer to an error; nothing on the way may keep it."""
    reply = Response(fault.body(), status_code=fault.status, media_type="application/json")
    reply.headers["cache-control"] = "no-store"
    for name, value in fault.headers:
        reply.headers[name.decode()] = value.decode()
    return reply
