"""`POST /v1/chat/completions`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cachemw.endpoints.base import (
    SSE_DONE,
    Collector,
    Endpoint,
    Fresh,
    Json,
    Question,
    Verdict,
    pieces,
    require_list,
    sse,
)
from cachemw.endpoints.choices import ChoicesCollector, choices_verdict
from cachemw.errors import BadRequest

# A request that offers or has used tools acts on the world; only the very same one is the same.
_TOOL_FIELDS = ("tools", "functions", "web_search_options")
# Fields of a message that are replayed in pieces; what is not here is sent whole.
_TEXT_FIELDS = ("reasoning", "reasoning_content", "content", "refusal")


class ChatCompletions(Endpoint):
    """Chat completions: the last user message is the question."""

    name = "chat.completions"
    path = "/v1/chat/completions"
    id_prefix = "chatcmpl-"
    usage_on_request = True

    def check(self, params: Json) -> None:
        """`messages` must be a non-empty array of objects."""
        for position, message in enumerate(require_list(params, "messages")):
            if not isinstance(message, dict):
                where = f"messages[{position}]"
                raise BadRequest(f"'{where}' must be an object.", param=where)

    def question(self, params: Json) -> Question | None:
        """Return the last message's text if the user wrote it and no tools are in play."""
        messages = params["messages"]
        # An empty `web_search_options` searches too; an empty list of tools offers none.
        offered = any(params.get(field) not in (None, []) for field in _TOOL_FIELDS)
        if offered or params.get("n") not in (None, 1) or any(map(_used_tools, messages)):
            return None
        last = messages[-1]
        if last.get("role") != "user":
            return None
        text, without = take_text(last.get("content"))
        if text is None:
            return None
        stripped = [*messages[:-1], {**last, "content": without}]
        return Question(text, {**params, "messages": stripped})

    def verdict(self, answer: Json) -> Verdict:
        """Judge by the finish reasons."""
        return choices_verdict(answer, holds=("message", dict))

    def collector(self, params: Json) -> Collector:
        """Collect `delta`s into `message`s."""
        return ChoicesCollector(
            "chat.completion", params.get("n"), streamed="delta", plain="message"
        )

    def events(self, answer: Json, fresh: Fresh, *, usage: bool, piece: int) -> Iterator[bytes]:
        """Replay: role, then texts and tool calls in pieces, finish reason, usage if asked."""
        head = {
            "id": f"{self.id_prefix}{fresh.token}",
            "object": "chat.completion.chunk",
            "created": fresh.created,
        }
        kept = {k: v for k, v in answer.items() if k not in ("object", "choices", "usage")}
        head |= kept
        blank: Json = {"usage": None} if usage else {}
        for position, choice in enumerate(answer["choices"]):
            index = choice.get("index", position)
            for part in _choice_chunks(choice, piece):
                yield sse({**head, "choices": [{"index": index, **part}], **blank})
        if usage and answer.get("usage") is not None:
            yield sse({**head, "choices": [], "usage": answer["usage"]})
        yield SSE_DONE


def take_text(content: Any) -> tuple[str | None, Any]:
    """Split message content into its text and the content without it; (None, _) if not text only.

    A single text part is text too; several parts, or any other kind of part, are exact-only.
    """
    if isinstance(content, str):
        return (content, None) if content.strip() else (None, None)
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        part = content[0]
        text = part.get("text")
        if part.get("type") in ("text", "input_text") and isinstance(text, str) and text.strip():
            return text, [{**part, "text": None}]
    return None, None


def _used_tools(message: Json) -> bool:
    by_tool = message.get("role") in ("tool", "function")
    return by_tool or bool(message.get("tool_calls") or message.get("function_call"))


def _choice_chunks(choice: Json, piece: int) -> Iterator[Json]:
    message: Json = choice["message"]
    whole = {
        name: value
        for name, value in message.items()
        if (name not in (*_TEXT_FIELDS, "tool_calls") or value == "") and value not in (None, [])
    }
    yield _chunk({**whole, "content": "" if isinstance(message.get("content"), str) else None})
    logprobs = choice.get("logprobs")
    tokens = _tokens(message, logprobs)
    for field in _TEXT_FIELDS:
        text = message.get(field)
        if field in tokens:
            blank = dict.fromkeys(logprobs or ())
            for token in tokens[field]:
                yield {**_chunk({field: token["token"]}), "logprobs": {**blank, field: [token]}}
        elif isinstance(text, str):
            yield from (_chunk({field: part}) for part in pieces(text, piece))
        elif text is not None:
            yield _chunk({field: text})
    for index, call in enumerate(message.get("tool_calls") or []):
        yield from _tool_call_chunks(index, call, piece)
    # A vendor's own fields of a choice come with its end, and so do logprobs that did not fit.
    own = {k: v for k, v in choice.items() if k not in ("index", "message") and v is not None}
    yield {"delta": {}, "finish_reason": None, **own, "logprobs": None if tokens else logprobs}


def _tokens(message: Json, logprobs: Any) -> dict[str, list[Json]]:
    """Return the tokens by field, if each field's join to its text; none at all otherwise.

    They do not where a character was cut into several tokens, or where an end token is listed.
    """
    listed = logprobs if isinstance(logprobs, dict) else {}
    tokens = {field: value for field, value in listed.items() if value}
    fits = all(_spell(value, message.get(field)) for field, value in tokens.items())
    return tokens if fits else {}


def _spell(tokens: Any, text: Any) -> bool:
    if not isinstance(tokens, list) or not all(isinstance(token, dict) for token in tokens):
        return False
    return isinstance(text, str) and "".join(str(t.get("token")) for t in tokens) == text


def _tool_call_chunks(index: int, call: Json, piece: int) -> Iterator[Json]:
    function = call.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("arguments"), str):
        yield _chunk({"tool_calls": [{**call, "index": index}]})
        return
    opening = {**call, "index": index, "function": {**function, "arguments": ""}}
    yield _chunk({"tool_calls": [opening]})
    for part in pieces(function["arguments"], piece):
        yield _chunk({"tool_calls": [{"index": index, "function": {"arguments": part}}]})


def _chunk(delta: Json) -> Json:
    return {"delta": delta, "logprobs": None, "finish_reason": None}
