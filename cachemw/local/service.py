"""What the endpoints do: a body becomes generations, the generations a response."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from fastapi import Request, Response

from cachemw.errors import BadRequest, ModelNotFound
from cachemw.local.delivery import EventStream, collect, json_response
from cachemw.local.errors import ContextLengthExceeded
from cachemw.local.generate import Delta, GenerationRequest, TokenSequence, generate
from cachemw.local.sampling import SamplingParams
from cachemw.local.scheduler import TurnScheduler
from cachemw.local.schema import ChatBody, CompletionBody, GenerationBody, parse_body
from cachemw.local.shapes import ChatShape, CompletionShape, Json, Outcome, Shape

CLIENT_GONE = 499
"""Nginx's status for a client that hung up: nobody reads it, but the response must have one."""


class ServedModel(Protocol):
    """What serving needs of a model. Lengths are in tokens."""

    @property
    def context_length(self) -> int:
        """The most tokens of prompt and answer together."""

    @property
    def vocabulary(self) -> int:
        """Token ids are below it."""

    @property
    def defaults(self) -> SamplingParams:
        """The sampling parameters where the client sends none."""

    @property
    def end_tokens(self) -> frozenset[int]:
        """The tokens that end a text."""

    def sequence(self) -> TokenSequence:
        """Begin an empty sequence."""

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a plain prompt."""

    def encode_chat(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the token ids of a conversation, opened for the answer."""

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of the tokens."""

    def token_bytes(self, token: int) -> tuple[str, list[int] | None]:
        """Return a token's text and its UTF-8 bytes, None when it is no whole character."""


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
        ticket = self._scheduler.submit([self._steps(generation) for generation in generations])
        prompt_tokens = sum(len(template.prompt) for template in templates)
        if body.stream:
            return EventStream(ticket, shape, len(generations), prompt_tokens)
        outcomes = [Outcome() for _ in generations]
        if not await collect(ticket, outcomes, request):
            return Response(status_code=CLIENT_GONE)
        return json_response(shape.whole(outcomes, prompt_tokens))

    def _steps(self, generation: GenerationRequest) -> Iterator[Delta]:
        return generate(
            self._model.sequence(),
            generation,
            decode=self._model.decode,
            end_tokens=self._model.end_tokens,
        )


def _nth_seed(seed: int, copy: int) -> int:
    """Return the seed of a choice, within the 64 bits that a generator takes."""
    return (seed + copy + 2**63) % 2**64 - 2**63
