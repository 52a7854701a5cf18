"""The worker's HTTP surface: OpenAI bodies in, generations scheduled, OpenAI bodies out."""

from __future__ import annotations

import asyncio
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from cachemw.errors import BadRequest, HttpError, MethodNotAllowed, ModelNotFound, NotFound
from cachemw.local.errors import ContextLengthExceeded, QueueFull
from cachemw.local.generate import Delta, GenerationRequest, TokenSequence, generate
from cachemw.local.sampling import SamplingParams
from cachemw.local.scheduler import Ticket, TurnScheduler
from cachemw.local.schema import ChatBody, CompletionBody, GenerationBody, parse_body
from cachemw.local.shapes import ChatShape, CompletionShape, Json, Outcome, Shape, usage

CLIENT_GONE = 499
"""Nginx's status for a client that hung up: nobody reads it, but the response must have one."""


class ServedModel(Protocol):
    """What serving needs of a model; `cachemw.local.model.LoadedModel` documents each member."""

    @property
    def context_length(self) -> int: ...  # noqa: D102
    @property
    def vocabulary(self) -> int: ...  # noqa: D102
    @property
    def defaults(self) -> SamplingParams: ...  # noqa: D102
    @property
    def end_tokens(self) -> frozenset[int]: ...  # noqa: D102
    def sequence(self) -> TokenSequence: ...  # noqa: D102
    def encode(self, text: str) -> list[int]: ...  # noqa: D102
    def encode_chat(self, messages: Sequence[Mapping[str, Any]]) -> list[int]: ...  # noqa: D102
    def decode(self, tokens: Sequence[int]) -> str: ...  # noqa: D102
    def token_bytes(self, token: int) -> tuple[str, list[int]]: ...  # noqa: D102


class Service:
    """One model behind one name: turns a validated body into a response."""

    def __init__(self, model: ServedModel, name: str, scheduler: TurnScheduler[Delta]) -> None:
        self._model = model
        self._scheduler = scheduler
        self._started = int(time.time())
        self.name = name

    def card(self) -> Json:
        """Return the model as `/v1/models` lists it."""
        return {"id": self.name, "object": "model", "created": self._started, "owned_by": "cachemw"}

    async def chat(self, request: Request) -> Response:
        """Answer `POST /v1/chat/completions`."""
        body = parse_body(await request.body(), ChatBody)
        self._check_name(body.model)
        if body.top_logprobs is not None and not body.logprobs:
            raise BadRequest("'top_logprobs' needs 'logprobs': true", param="top_logprobs")
        prompt = self._model.encode_chat([message.for_template() for message in body.messages])
        limit = body.max_completion_tokens or body.max_tokens or self._model.context_length
        template = self._generation(body, prompt, limit, param="messages")
        if body.logprobs:
            template = replace(template, top_logprobs=body.top_logprobs or 0)
        shape = ChatShape(
            id=f"chatcmpl-{uuid.uuid4().hex}",
            created=int(time.time()),
            model=self.name,
            include_usage=body.include_usage,
            token_text=self._model.token_bytes if body.logprobs else None,
        )
        return await self._respond(request, body, [template], shape)

    async def complete(self, request: Request) -> Response:
        """Answer `POST /v1/completions`."""
        body = parse_body(await request.body(), CompletionBody)
        self._check_name(body.model)
        limit = body.max_tokens or 16  # OpenAI's default for this endpoint
        templates = [
            self._generation(body, self._prompt_tokens(prompt), limit, param="prompt")
            for prompt in body.prompt
        ]
        shape = CompletionShape(
            id=f"cmpl-{uuid.uuid4().hex}",
            created=int(time.time()),
            model=self.name,
            include_usage=body.include_usage,
        )
        return await self._respond(request, body, templates, shape)

    def _check_name(self, name: str) -> None:
        if name != self.name:
            raise ModelNotFound(f"the model '{name}' does not exist here", param="model")

    def _prompt_tokens(self, prompt: str | list[int]) -> list[int]:
        if isinstance(prompt, str):
            return self._model.encode(prompt)
        if not all(0 <= token < self._model.vocabulary for token in prompt):
            raise BadRequest("a token id is outside the vocabulary", param="prompt")
        return prompt

    def _generation(
        self, body: GenerationBody, prompt: Sequence[int], limit: int, *, param: str
    ) -> GenerationRequest:
        room = self._model.context_length - len(prompt)
        if room < 1:
            raise ContextLengthExceeded(
                f"this model's context is {self._model.context_length} tokens, "
                f"the prompt has {len(prompt)}",
                param=param,
            )
        if not prompt:
            raise BadRequest(f"'{param}' has no tokens", param=param)
        return GenerationRequest(
            prompt=tuple(prompt),
            max_tokens=min(limit, room),
            sampling=body.sampling(self._model.defaults),
            seed=secrets.randbits(63) if body.seed is None else body.seed,
            stop=tuple(body.stop or ()),
        )

    async def _respond(
        self,
        request: Request,
        body: GenerationBody,
        templates: Sequence[GenerationRequest],
        shape: Shape,
    ) -> Response:
        copies = body.n or 1
        if len(templates) * copies > self._scheduler.capacity:
            raise BadRequest(
                f"prompts times 'n' must be at most {self._scheduler.capacity}", param="n"
            )
        # Choices of one prompt differ by their seed alone, in an order the client can repeat.
        generations = [
            replace(template, seed=_nth_seed(template.seed, copy))
            for template in templates
            for copy in range(copies)
        ]
        ticket = self._scheduler.submit(
            [
                generate(
                    self._model.sequence(),
                    generation,
                    decode=self._model.decode,
                    end_tokens=self._model.end_tokens,
                )
                for generation in generations
            ]
        )
        prompt_tokens = sum(len(template.prompt) for template in templates)
        outcomes = [Outcome() for _ in generations]
        if body.stream:
            events = _events(ticket, shape, outcomes, prompt_tokens)
            return StreamingResponse(events, media_type="text/event-stream")
        if not await _collect(ticket, outcomes, request):
            return Response(status_code=CLIENT_GONE)
        return _json(shape.whole(outcomes, prompt_tokens))


def _nth_seed(seed: int, copy: int) -> int:
    """Return the seed of a choice, within the 64 bits that a generator takes."""
    return (seed + copy + 2**63) % 2**64 - 2**63


async def _events(
    ticket: Ticket[Delta], shape: Shape, outcomes: Sequence[Outcome], prompt_tokens: int
) -> AsyncIterator[bytes]:
    """Server-sent events of a streamed response. Closing it stops the generations."""
    try:
        for index in range(len(outcomes)):
            opening = shape.opening(index)
            if opening is not None:
                yield _event(opening)
        async for index, delta in ticket:
            outcomes[index].produced = delta.produced
            for chunk in shape.pieces(index, delta):
                yield _event(chunk)
        if shape.include_usage:
            produced = sum(outcome.produced for outcome in outcomes)
            yield _event(shape.chunk([], usage(prompt_tokens, produced)))
        yield b"data: [DONE]\n\n"
    except HttpError as error:
        # The status line is out already: OpenAI's clients raise on an `error` event.
        yield b"data: " + error.body() + b"\n\n"
    finally:
        ticket.cancel()


async def _collect(ticket: Ticket[Delta], outcomes: Sequence[Outcome], request: Request) -> bool:
    """Fill `outcomes`; return False, with the generations stopped, when the client hangs up."""

    async def read() -> None:
        async for index, delta in ticket:
            outcomes[index].add(delta)

    async def hang_up() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    reading = asyncio.create_task(read())
    watching = asyncio.create_task(hang_up())
    try:
        await asyncio.wait({reading, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            return False
        reading.result()  # raises what the generation raised
        return True
    finally:
        ticket.cancel()
        reading.cancel()
        watching.cancel()


def _event(body: Json) -> bytes:
    return b"data: " + orjson.dumps(body) + b"\n\n"


def _json(body: Json) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")


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
        return _json({"object": "list", "data": [service.card()]})

    @app.get("/v1/models/{model_id:path}")
    async def one_model(model_id: str) -> Response:
        if model_id != name:
            raise ModelNotFound(f"the model '{model_id}' does not exist here", param="model")
        return _json(service.card())

    @app.get("/healthz")
    async def healthz() -> Response:
        return _json({"status": "ok"})

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
