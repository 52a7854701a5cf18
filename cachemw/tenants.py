"""Who is asking. Tenants never share entries; the tenant is part of every key."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

import orjson

ANONYMOUS = "anonymous"

# Where OpenAI, Azure and Anthropic clients put the credential.
_CREDENTIAL_HEADERS = (b"authorization", b"api-key", b"x-api-key")


class Tenants:
    """Maps the presented credential to a tenant: its hash, never the credential itself.

    Remembers up to `remembered` hashes, because every request asks.
    """

    def __init__(self, *, isolation: bool = True, remembered: int = 4096) -> None:
        self._isolation = isolation
        self._remembered = remembered
        self._hashes: dict[bytes, str] = {}

    def identify(self, headers: Mapping[bytes, bytes], scope: str | None) -> str:
        """Return the tenant of a request; `scope` (a client's header) narrows it further."""
        tenant = self._of_credential(headers) if self._isolation else "shared"
        return tenant if scope is None else _digest(orjson.dumps([tenant, scope]))

    def _of_credential(self, headers: Mapping[bytes, bytes]) -> str:
        for name in _CREDENTIAL_HEADERS:
            credential = headers.get(name)
            if credential:
                return self._hash(credential)
        return ANONYMOUS

    def _hash(self, credential: bytes) -> str:
        known = self._hashes.get(credential)
        if known is None:
            if len(self._hashes) >= self._remembered:
                self._hashes.clear()
            known = self._hashes[credential] = _digest(credential)
        return known


def _digest(secret: bytes) -> str:
    return blake2b(secret, digest_size=16, person=b"cachemw tenant").hexdigest()
