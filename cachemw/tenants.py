"""Who is asking. Tenants never share entries; the tenant is part of every key."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

import orjson

ANONYMOUS = "anonymous"

# Where clients of OpenAI, Azure, Anthropic, Google and Azure's API gateway put the credential.
_CREDENTIAL_HEADERS = (
    b"authorization",
    b"api-key",
    b"x-api-key",
    b"x-goog-api-key",
    b"ocp-apim-subscription-key",
)


class Tenants:
    """Maps the presented credential to a tenant: its hash, never the credential itself.

    Remembers up to `remembered` hashes, because every request asks.
    """

    def __init__(self, *, isolation: bool = True, remembered: int = 4096) -> None:
        self._isolation = isolation
        self._remembered = remembered
        self._hashes: dict[tuple[bytes, ...], str] = {}

    def identify(self, headers: Mapping[bytes, bytes], scope: str | None) -> str:
        """Return the tenant of a request; `scope` (a client's header) narrows it further."""
        tenant = self._of_credential(headers) if self._isolation else "shared"
        return tenant if scope is None else _digest(orjson.dumps([tenant, scope]))

    def _of_credential(self, headers: Mapping[bytes, bytes]) -> str:
        # All that are presented count: which of them the upstream looks at is not for us to guess.
        presented = tuple(headers.get(name, b"") for name in _CREDENTIAL_HEADERS)
        return self._hash(presented) if any(presented) else ANONYMOUS

    def _hash(self, presented: tuple[bytes, ...]) -> str:
        known = self._hashes.get(presented)
        if known is None:
            if len(self._hashes) >= self._remembered:
                self._hashes.clear()
            known = _digest(orjson.dumps([credential.hex() for credential in presented]))
            self._hashes[presented] = known
        return known


def _digest(secret: bytes) -> str:
    return blake2b(secret, digest_size=16, person=b"cachemw tenant").hexdigest()
