"""Request bodies of `/v1/chat/completions` and `/v1/completions`, validated.

A field is honoured, known to have no effect here, or refused by name: nothing that would change
the answer is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from cachemw.errors import BadRequest
from cachemw.local.errors import UnknownParameter, UnsupportedParameter
from cachemw.local.sampling import SamplingParams

NO_EFFECT = frozenset(
    {
        "metadata",
        "parallel_tool_calls",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "tools",  # under `tool_choice: auto` a model may always answer in words
        "user",
    }
)
"""Bookkeeping fields: accepted, and nothing follows from them."""

HARMLESS: Mapping[str, tuple[Any, ...]] = {
    "audio": (None,),
    "best_of": (None, 1),
    "echo": (None, False),
    "function_call": (None, "auto", "none"),
    "functions": (None, []),
    "logit_bias": (None, {}),
    "modalities": (None, ["text"]),
    "prediction": (None,),
    "reasoning_effort": (None, "none"),
    "response_format": (None, {"type": "text"}),
    "suffix": (None, ""),
    "tool_choice": (None, "auto", "none"),
    "verbosity": (None, "medium"),
    "web_search_options": (None,),
}
"""Fields that are not implemented, each with the values that ask for nothing."""


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _joined_parts(value: Any) -> Any:
    """Return the text of a message's content: a string, null, or a list of text parts."""
    if value is None:
        return ""
    if not isinstance(value, list):
        return value
    texts = []
    for part in value:
        if not isinstance(part, dict) or part.get("type") != "text":
            raise ValueError("only text parts are supported")
        if not isinstance(part.get("text"), str):
            raise ValueError("a text part needs a string 'text'")  # noqa: TRY004  pydantic's rule
        texts.append(part["text"])
    return "".join(texts)


def _prompts(value: Any) -> Any:
    """Return a list of prompts, each text or token ids, from any of OpenAI's four forms."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and value and all(type(item) is int for item in value):
        return [value]
    if isinstance(value, list) and value and all(_is_prompt(item) for item in value):
        return value
    raise ValueError("expected a string, token ids, or a non-empty list of either")


def _is_prompt(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(type(item) is int for item in value)
    return isinstance(value, str)


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class StreamOptions(_Body):
    """`include_usage` asks for a last chunk with the token counts."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Message(_Body):
    """One message of a conversation, its content flattened to text."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Annotated[str, BeforeValidator(_joined_parts)] = ""
    name: str | None = None
    tool_call_id: str | None = None
    refusal: str | None = None

    def for_template(self) -> dict[str, str]:
        """Return what a chat template reads; `developer` is the newer name of `system`."""
        role = "system" if self.role == "developer" else self.role
        return {"role": role, "content": self.content}


class GenerationBody(_Body):
    """The fields both endpoints share. None always means: not sent."""

    model: str
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Field(ge=1, le=8)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: (
        Annotated[
            list[Annotated[str, Field(min_length=1)]], Field(max_length=4), BeforeValidator(_listed)
        ]
        | None
    ) = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None

    @property
    def include_usage(self) -> bool:
        """Whether the client asked for a usage chunk at the end of the stream."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def sampling(self, defaults: SamplingParams) -> SamplingParams:
        """Return the sampling parameters, `defaults` where the client sent none."""
        names = SamplingParams.__dataclass_fields__
        sent = {name: getattr(self, name) for name in names}
        return SamplingParams(
            **{
                name: getattr(defaults, name) if value is None else value
                for name, value in sent.items()
            }
        )


class ChatBody(GenerationBody):
    """`POST /v1/chat/completions`."""

    messages: Annotated[list[Message], Field(min_length=1)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None


class CompletionBody(GenerationBody):
    """`POST /v1/completions`."""

    prompt: Annotated[list[str | list[int]], BeforeValidator(_prompts)]
    logprobs: None = None  # the legacy form with text offsets is not implemented


B = TypeVar("B", bound=GenerationBody)


def parse_body(raw: bytes, form: type[B]) -> B:
    """Validate a JSON body. Raises `BadRequest` or a subclass that names the field at fault."""
    try:
        fields = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        # The decoder's own message quotes no input, only the place.
        raise BadRequest(f"the body is not JSON: {error.msg} at {error.pos}") from None
    if not isinstance(fields, dict):
        raise BadRequest("the body must be a JSON object")
    try:
        return form.model_validate(_honoured(fields))
    except ValidationError as invalid:
        # `from None`: the validation error quotes the input, and tracebacks end in logs.
        raise _refusal(invalid.errors(include_url=False, include_input=False)[0]) from None


def _honoured(fields: dict[str, Any]) -> dict[str, Any]:
    for name, harmless in HARMLESS.items():
        if name in fields and fields[name] not in harmless:
            raise UnsupportedParameter(
                f"'{name}' is not supported by this model with this value", param=name
            )
    return {
        name: value
        for name, value in fields.items()
        if name not in NO_EFFECT and name not in HARMLESS
    }


def _refusal(error: ErrorDetails) -> BadRequest:
    place = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]
    ).lstrip(".")
    if error["type"] == "extra_forbidden":
        return UnknownParameter(f"unknown parameter: '{place}'", param=place)
    if error["type"] == "none_required":
        return UnsupportedParameter(f"'{place}' is not supported by this model", param=place)
    if error["type"] == "missing":
        return BadRequest(f"missing required parameter: '{place}'", param=place)
    return BadRequest(f"invalid value for '{place}': {error['msg']}", param=place)
