"""What the request path needs to know of an OpenAI endpoint.

One endpoint per file, all of them in `table.py`. An endpoint says which text of a request is fuzzy,
collects a streamed answer into the plain one, and replays a stored plain answer in either form.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import orjson

from cachemw.errors import BadRequest
from cachemw.keys import NEVER_MATTER

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """The last user text and the request's parameters without it."""

    text: str
    params_without: Json


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an answer ended, and its usage in tokens (0 where the upstream did not say)."""

    complete: bool
    truncated: bool
    blocked: bool
    prompt_tokens: int
    completion_tokens: int


class Fresh(NamedTuple):
    """What a replay gets anew: random hex for ids, and the time in Unix seconds."""

    token: str
    created: int


class Collector(ABC):
    """Puts a streamed answer together while it passes."""

    @abstractmethod
    def feed(self, event: str | None, data: Json) -> None:
        """Take one SSE event: its `event:` name, if any, and its parsed data."""

    @abstractmethod
    def answer(self) -> Json | None:
        """Return the complete plain answer, or None while it is not complete."""

    @property
    def broken(self) -> bool:
        """Whether the upstream reported an error inside the stream."""
        return False


class Endpoint(ABC):
    """One OpenAI endpoint."""

    name: ClassVar[str]
    path: ClassVar[str]
    # Prefix of the ids this endpoint gives out; None where answers have no id.
    id_prefix: ClassVar[str | None]
    ignored: ClassVar[frozenset[str]] = NEVER_MATTER | {"store"}
    # Whether a stream asks for its usage with `stream_options.include_usage`.
    usage_on_request: ClassVar[bool] = False
    # Whether answers can be streamed at all.
    streams: ClassVar[bool] = True
    # Whether the last event of a stream is `data: [DONE]`.
    ends_with_done: ClassVar[bool] = True

    @abstractmethod
    def check(self, params: Json) -> None:
        """Raise BadRequest, naming the field, where the request cannot be meant as it stands.

        Only what the path itself relies on is checked; the rest is the upstream's to judge.
        """

    @abstractmethod
    def question(self, params: Json) -> Question | None:
        """Return the fuzzy part of the request, or None where only an exact hit may serve it."""

    @abstractmethod
    def verdict(self, answer: Json) -> Verdict:
        """Judge a plain answer, as received or as collected."""

    @abstractmethod
    def collector(self, params: Json) -> Collector:
        """Return a new collector for the stream that answers `params`."""

    @abstractmethod
    def events(self, answer: Json, fresh: Fresh, *, usage: bool, piece: int) -> Iterator[bytes]:
        """Replay a stored answer as SSE events, texts in pieces of about `piece` characters."""

    def cacheable(self, params: Json) -> bool:  # noqa: ARG002
        """Whether the answer depends on the request alone, and not on state kept upstream."""
        return True

    def pack(self, answer: Json) -> bytes:
        """Return the form that is stored: the answer without what each replay gets anew."""
        return orjson.dumps({k: v for k, v in answer.items() if k not in ("id", "created")})

    def render(self, body: bytes, fresh: Fresh) -> bytes:
        """Return a plain answer from its stored form (own design: two bytes joins, no parsing)."""
        return b'{"id":"%s%s","created":%d,%s' % (
            (self.id_prefix or "").encode(),
            fresh.token.encode(),
            fresh.created,
            body[1:],
        )


def wants_stream(params: Json) -> bool:
    """Whether the client asked for SSE."""
    stream = params.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise BadRequest("'stream' must be true or false.", param="stream")
    return stream is True


def wants_usage(params: Json) -> bool:
    """Whether the client asked for usage on the last chunk of a stream."""
    options = params.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict):
        raise BadRequest("'stream_options' must be an object.", param="stream_options")
    return options.get("include_usage") is True


def require_list(params: Json, field: str) -> list[Any]:
    """Return a field that must be a non-empty array."""
    value = params.get(field)
    if not isinstance(value, list) or not value:
        raise BadRequest(f"'{field}' must be a non-empty array.", param=field)
    return value


def sse(data: Json, event: str | None = None) -> bytes:
    """Write one server-sent event."""
    head = b"" if event is None else b"event: %s\n" % event.encode()
    return b"%sdata: %s\n\n" % (head, orjson.dumps(data))


SSE_DONE = b"data: [DONE]\n\n"


def pieces(text: str, size: int) -> Iterator[str]:
    """Cut a text into pieces of about `size` characters, at spaces where there are any."""
    start = 0
    while start < len(text):
        end = start + size
        if end < len(text):
            space = text.find(" ", end, end + size)
            end = space if space > 0 else end
        yield text[start:end]
        start = end


def usage_tokens(answer: Json, prompt: str, completion: str) -> tuple[int, int]:
    """Read two counts out of `usage`, 0 where they are missing or not counts."""
    usage = answer.get("usage")
    if not isinstance(usage, dict):
        return 0, 0
    counts = (usage.get(prompt), usage.get(completion))
    return tuple(c if isinstance(c, int) and c >= 0 else 0 for c in counts)  # type: ignore[return-value]
