"""A parsed request together with its answer: what each API's file turns into its own shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from loadtests.fake_upstream.answer import Answer
from loadtests.fake_upstream.behaviour import Behaviour

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One request; `serial` makes identifiers unique, `created` is in seconds since 1970."""

    body: Mapping[str, Any]
    behaviour: Behaviour
    answer: Answer
    serial: int
    created: int

    @property
    def model(self) -> str:
        """The model asked for, which is the one that answers."""
        return str(self.body["model"])

    @property
    def ident(self) -> str:
        """A suffix for identifiers: whose answer, and which call's."""
        return f"{self.answer.digest}{self.serial:06d}"

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with a usage chunk."""
        options = self.body.get("stream_options") or {}
        return bool(options.get("include_usage")) and not self.behaviour.no_usage


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One API: what a body must have, and how it is answered plain and streamed."""

    name: str
    required: Mapping[str, tuple[type, ...]]
    plain: Callable[[Call], Json]
    stream: Callable[[Call], list[bytes]] | None = None


def usage(call: Call) -> Json:
    """Return OpenAI's usage object for chat and legacy completions."""
    answer = call.answer
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": answer.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
