"""What the worker answers when it cannot do what a request asks for.

HttpError
├── RequestError
│   ├── BadRequest
│   │   ├── UnsupportedParameter   400, a known field this worker cannot honour
│   │   ├── UnknownParameter       400, no such field
│   │   └── ContextLengthExceeded  400, the prompt does not fit the model
│   └── QueueFull                  429, with Retry-After
└── GenerationFailed               500, the model raised
"""

from __future__ import annotations

from cachemw.errors import BadRequest, HttpError, RequestError


class UnsupportedParameter(BadRequest):
    """OpenAI knows this field or value, this worker does not implement it."""

    code = "unsupported_parameter"


class UnknownParameter(BadRequest):
    """No such field: refused rather than ignored, since ignoring it would change the answer."""

    code = "unknown_parameter"


class ContextLengthExceeded(BadRequest):
    """The prompt leaves no room for a single new token."""

    code = "context_length_exceeded"


class QueueFull(RequestError):
    """Every slot and every place in the queue is taken; `retry_after_s` is a hint in seconds."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class GenerationFailed(HttpError):
    """The model or its tokenizer raised in the middle of a generation."""

    code = "generation_failed"
