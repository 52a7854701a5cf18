"""`POST /v1/responses`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import orjson

from cachemw.endpoints.base import (
    Collector,
    Endpoint,
    Fresh,
    Json,
    Question,
    Verdict,
    sse,
    usage_tokens,
)
from cachemw.endpoints.chat import take_text
from cachemw.endpoints.response_events import response_events
from cachemw.errors import BadRequest
from cachemw.keys import NEVER_MATTER

_FINAL_EVENTS = frozenset({"response.completed", "response.incomplete", "response.failed"})
# The answer then depends on state that other requests change, or arrives later elsewhere.
_UPSTREAM_STATE = ("conversation", "background")
# What an answer repeats of its request though it does not depend on it, by what it says without:
# a hit must not tell one user of another.
_ECHOED: Mapping[str, Any] = MappingProxyType(
    {"metadata": {}, "prompt_cache_key": None, "safety_identifier": None, "user": None}
)


class Responses(Endpoint):
    """The Responses API.

    With `store` (OpenAI's default) the id of an answer is a handle to state kept upstream, which
    `previous_response_id` refers to: such an answer is replayed under its own id, because a fresh
    one would lead nowhere. So `store` matters to the key here.
    """

    name = "responses"
    path = "/v1/responses"
    id_prefix = "resp_"
    ignored = NEVER_MATTER
    ends_with_done = False

    def check(self, params: Json) -> None:
        """`input` must be a string or an array, where there is one."""
        value = params.get("input")
        if value is not None and not isinstance(value, str | list):
            raise BadRequest("'input' must be a string or an array.", param="input")

    def cacheable(self, params: Json) -> bool:
        """Not where the answer depends on a conversation kept upstream, or is not in the reply."""
        return not any(params.get(field) for field in _UPSTREAM_STATE)

    def question(self, params: Json) -> Question | None:
        """Return the last user text if no tools are in play."""
        value = params.get("input")
        if params.get("tools") or params.get("previous_response_id"):
            return None
        if isinstance(value, str):
            return Question(value, {**params, "input": None}) if value.strip() else None
        if not isinstance(value, list) or not all(_is_message(item) for item in value):
            return None
        if not value or value[-1].get("role") != "user":
            return None
        text, without = take_text(value[-1].get("content"))
        if text is None:
            return None
        stripped = [*value[:-1], {**value[-1], "content": without}]
        return Question(text, {**params, "input": stripped})

    def verdict(self, answer: Json) -> Verdict:
        """Judge by `status` and the reason of an incomplete answer."""
        prompt, completion = usage_tokens(answer, "input_tokens", "output_tokens")
        details = answer.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        return Verdict(
            complete=answer.get("status") in ("completed", "incomplete") and _has_output(answer),
            truncated=answer.get("status") == "incomplete" and reason != "content_filter",
            blocked=reason == "content_filter",
            prompt_tokens=prompt,
            completion_tokens=completion,
        )

    def collector(self, params: Json) -> Collector:  # noqa: ARG002
        """Wait for the final event, which carries the whole answer."""
        return _FinalEvent()

    def pack(self, answer: Json) -> bytes:
        """Keep the id where it is a handle to upstream state."""
        renewed = {"created_at"} if answer.get("store") is not False else {"id", "created_at"}
        kept = {k: _ECHOED.get(k, v) for k, v in answer.items() if k not in renewed}
        return orjson.dumps(kept)

    def render(self, body: bytes, fresh: Fresh) -> bytes:
        """Return a plain answer; parsed, because whether it has an id decides what is added."""
        return orjson.dumps(self._renewed(orjson.loads(body), fresh))

    def events(self, answer: Json, fresh: Fresh, *, usage: bool, piece: int) -> Iterator[bytes]:  # noqa: ARG002
        """Replay the whole sequence of typed events, numbered as the API does."""
        sequence = response_events(self._renewed(answer, fresh), piece)
        for number, event in enumerate(sequence):
            yield sse({**event, "sequence_number": number}, event=event["type"])

    def _renewed(self, answer: Json, fresh: Fresh) -> Json:
        new: Json = {"id": f"{self.id_prefix}{fresh.token}", "created_at": fresh.created, **answer}
        if answer.get("completed_at") is not None:
            new["completed_at"] = fresh.created
        return new


class _FinalEvent(Collector):
    def __init__(self) -> None:
        self._answer: Json | None = None
        self._broken = False

    @property
    def broken(self) -> bool:
        return self._broken

    def feed(self, event: str | None, data: Json) -> None:
        kind = data.get("type") or event
        if kind == "error":
            self._broken = True
        response = data.get("response")
        if kind in _FINAL_EVENTS and isinstance(response, dict):
            self._answer = response

    def answer(self) -> Json | None:
        return None if self._broken else self._answer


def _has_output(answer: Json) -> bool:
    output = answer.get("output")
    return isinstance(output, list) and all(isinstance(item, dict) for item in output)


def _is_message(item: Any) -> bool:
    return isinstance(item, dict) and item.get("type", "message") == "message"
