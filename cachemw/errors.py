"""Everything cachemw raises on purpose, and the one place where it becomes an HTTP answer.

    CachemwError
    ├── ConfigError                  the configuration is wrong; the start stops
    ├── RequestError                 the client is told; never retried, never cached
    │   ├── BadRequest               400, names the field
    │   ├── NotAuthenticated         401
    │   ├── NotFound                 404
    │   ├── MethodNotAllowed         405
    │   ├── BodyTooLarge             413
    │   └── OnlyIfCached             504, `Cache-Control: only-if-cached` and nothing stored
    ├── UpstreamError                no usable answer from the model
    │   ├── UpstreamUnavailable      502, refused or broken before the first byte
    │   ├── UpstreamTimeout          504, connect, first byte or total
    │   ├── UpstreamBroken           502, died in the middle of the answer
    │   └── Draining                 503, this process is going away
    └── CacheComponentError          a part of the cache failed: becomes a plain upstream call
        ├── EmbedderUnavailable
        ├── IndexUnavailable
        └── StoreUnavailable

An upstream's own error response (status >= 400) is not an exception: it is passed on as it is.
"""

from __future__ import annotations

from typing import ClassVar

import orjson


class CachemwError(Exception):
    """Root of the tree."""


class ConfigError(CachemwError):
    """The configuration cannot be used; the message names the key and what was meant."""


class HttpError(CachemwError):
    """An error with an answer: `status`, OpenAI's `type` and `code`, and the field at fault."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: ClassVar[str | None] = None

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param

    def body(self) -> bytes:
        """Return OpenAI's error object, encoded as JSON."""
        error = {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }
        return orjson.dumps({"error": error})


class RequestError(HttpError):
    """The request cannot be served as it is."""

    status = 400
    type = "invalid_request_error"


class BadRequest(RequestError):
    """The body, a field of it or a header is malformed."""


class NotAuthenticated(RequestError):
    """No credential, or one that is not known."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class NotFound(RequestError):
    """No such path."""

    status = 404
    code = "not_found"


class ModelNotFound(NotFound):
    """No upstream serves this model."""

    code = "model_not_found"


class MethodNotAllowed(RequestError):
    """The path exists, the method does not."""

    status = 405
    code = "method_not_allowed"


class BodyTooLarge(RequestError):
    """The body is over the configured limit."""

    status = 413
    code = "request_too_large"


class OnlyIfCached(RequestError):
    """The client wanted a stored answer or none (RFC 9111, section 5.2.1.7)."""

    status = 504
    type = "cache_miss"
    code = "only_if_cached"


class UpstreamError(HttpError):
    """The model gave no usable answer."""

    status = 502
    type = "upstream_error"


class UpstreamUnavailable(UpstreamError):
    """Refused, unreachable, or broken before the first byte."""

    code = "upstream_unavailable"


class UpstreamTimeout(UpstreamError):
    """A connect, first-byte or total time limit was passed."""

    status = 504
    code = "upstream_timeout"


class UpstreamBroken(UpstreamError):
    """The answer stopped in the middle."""

    code = "upstream_broken"


class Draining(UpstreamError):
    """This process is shutting down."""

    status = 503
    type = "server_error"
    code = "draining"


class CacheComponentError(CachemwError):
    """A part of the cache failed. The request path turns it into a plain upstream call."""


class EmbedderUnavailable(CacheComponentError):
    """No embedding in time: queue full, time limit passed, or the model failed."""


class IndexUnavailable(CacheComponentError):
    """The vector index could not answer."""


class StoreUnavailable(CacheComponentError):
    """The document store could not answer in time."""
