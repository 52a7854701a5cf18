"""Everything cachemw raises on purpose, and the one place where it becomes an HTTP answer.

    CachemwError
    ├── ConfigError                  the configuration is wrong; the start stops
    ├── RequestError                 the client is told; never retried, never cached
    │   ├── BadRequest               400, names the field
    │   ├── NotAuthenticated         401
    │   ├── AdminClosed              403, no admin token is configured
    │   ├── NotFound                 404
    │   ├── MethodNotAllowed         405
    │   ├── BodyTooLarge             413
    │   ├── RateLimited              429, with Retry-After
    │   ├── Overloaded               503, no memory for the body just now
    │   └── OnlyIfCached             504, `Cache-Control: only-if-cached` and nothing stored
    ├── CacheUnavailable             503, an admin operation on a store that does not answer
    ├── UpstreamError                no usable answer from the model
    │   ├── UpstreamUnavailable      502, refused or broken before the first byte
    │   ├── UpstreamTimeout          504, connect, first byte or total
    │   ├── UpstreamBroken           502, died in the middle of the answer
    │   ├── UpstreamOpen             503, its circuit breaker is open
    │   ├── UpstreamBusy             503, our own limit of connections to it
    │   └── Draining                 503, this process is going away
    └── CacheComponentError          a part of the cache failed: becomes a plain upstream call
        ├── EmbedderUnavailable
        ├── VerifierUnavailable
        ├── IndexUnavailable
        └── StoreUnavailable

An upstream's own error response (status >= 400) is not an exception: it is passed on as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import orjson


class CachemwError(Exception):
    """Root of the tree."""


class ConfigError(CachemwError):
    """The configuration cannot be used; the message names the key and what was meant."""


class HttpError(CachemwError):
    """An error with an answer: `status`, OpenAI's `type` and `code`, and the field at fault.

    `headers` go with the answer.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: ClassVar[str | None] = None
    headers: tuple[tuple[bytes, bytes], ...] = ()

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
    code = "invalid_api_key"
    headers = ((b"www-authenticate", b"Bearer"),)  # RFC 9110, section 15.5.2


class AdminClosed(RequestError):
    """No admin token is configured, so that none would be accepted (RFC 9110, section 15.5.4)."""

    status = 403
    type = "permission_error"
    code = "admin_closed"


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


class RateLimited(RequestError):
    """A budget of the caller is spent; `retry_after` in whole seconds."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after: int = 1,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(message, param=param)
        self.headers = ((b"retry-after", b"%d" % retry_after), *headers)


class OnlyIfCached(RequestError):
    """The client wanted a stored answer or none (RFC 9111, section 5.2.1.7)."""

    status = 504
    type = "cache_miss"
    code = "only_if_cached"


class CacheUnavailable(HttpError):
    """An operation on the cache itself failed: there is no upstream to fall back to."""

    status = 503
    code = "cache_unavailable"


class Overloaded(RequestError):
    """There is no memory left for a request of this size just now."""

    status = 503
    type = "server_error"
    code = "overloaded"
    headers = ((b"retry-after", b"1"),)


class UpstreamError(HttpError):
    """The model gave no usable answer.

    `retried` where the call was made anew here: then the client should not do so as well, which
    OpenAI's libraries heed.
    """

    status = 502
    type = "upstream_error"
    retried = False

    def forbid_retry(self) -> None:
        """Note that it was made anew, and tell the client."""
        if not self.retried:
            self.retried = True
            self.headers = (*self.headers, (b"x-should-retry", b"false"))


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


class UpstreamOpen(UpstreamError):
    """The upstream has kept failing and is left alone for `retry_after` seconds: no call."""

    status = 503
    code = "upstream_circuit_open"

    def __init__(self, message: str, *, param: str | None = None, retry_after: int = 1) -> None:
        super().__init__(message, param=param)
        self.headers = ((b"retry-after", b"%d" % retry_after),)


class UpstreamBusy(UpstreamError):
    """All connections that we allow ourselves to the upstream are in use."""

    status = 503
    code = "upstream_busy"
    headers = ((b"retry-after", b"1"),)


class Draining(UpstreamError):
    """This process is shutting down."""

    status = 503
    type = "server_error"
    code = "draining"


class CacheComponentError(CachemwError):
    """A part of the cache failed. The request path turns it into a plain upstream call."""


class EmbedderUnavailable(CacheComponentError):
    """No embedding in time: queue full, time limit passed, or the model failed."""


class VerifierUnavailable(CacheComponentError):
    """No score in time: queue full, time limit passed, or the model failed."""


class IndexUnavailable(CacheComponentError):
    """The vector index could not answer."""


class StoreUnavailable(CacheComponentError):
    """The document store could not answer in time."""
