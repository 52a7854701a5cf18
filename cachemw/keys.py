"""The two keys of a request (design: "A key has two halves").

The *exact key* names the whole canonical request. The *compatibility key* names the same request
with the text of the last user message taken out: semantic search runs only among requests that
share it. Both hash one canonical JSON array, so no joining of strings can make two requests meet.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from cachemw.errors import BadRequest

# Part of every key: a change of what is hashed must not find what was stored before it.
KEY_SCHEMA = 1

# Parameters that cannot change the answer. A denylist, never an allowlist: a parameter we do not
# know of must keep two requests apart.
NEVER_MATTER = frozenset(
    {
        "metadata",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "stream",
        "stream_options",
        "user",
    }
)


class KeyScope(NamedTuple):
    """Everything beside the body that keeps two requests apart.

    `variant` holds the parts of the HTTP request that the upstream may act on: the query string
    and the configured headers, by name.
    """

    tenant: str
    endpoint: str
    upstream: str
    model: str
    variant: tuple[tuple[str, str], ...] = ()


def exact_key(scope: KeyScope, params: dict[str, Any], ignored: frozenset[str]) -> bytes:
    """Return the 32-byte key of the whole request."""
    return _digest("exact", scope, params, ignored)


def compatibility_key(
    scope: KeyScope, params_without_question: dict[str, Any], ignored: frozenset[str]
) -> bytes:
    """Return the 32-byte key of the request whose last user text has been taken out."""
    return _digest("compatibility", scope, params_without_question, ignored)


def _digest(kind: str, scope: KeyScope, params: dict[str, Any], ignored: frozenset[str]) -> bytes:
    canonical = {name: _number(value) for name, value in params.items() if name not in ignored}
    # The model stands in the scope as the effective one; the client's alias for it is no matter.
    canonical.pop("model", None)
    parts = [
        KEY_SCHEMA,
        kind,
        scope.tenant,
        scope.endpoint,
        scope.upstream,
        scope.model,
        scope.variant,
        canonical,
    ]
    try:
        text = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:  # nested past what can be written again
        raise BadRequest(f"The body cannot be canonicalised: {error}.") from error
    return blake2b(text, digest_size=32).digest()


def _number(value: Any) -> Any:
    """Write a whole number one way: JSON does not tell 1 from 1.0, and client libraries differ.

    Only a parameter itself. What is nested may be text to the model: a tool's schema is written
    into the prompt as it stands.
    """
    if type(value) is float and value.is_integer():
        return int(value) if abs(value) < 2**53 else value
    return value
