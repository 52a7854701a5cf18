"""Without virtual keys: the client's credential goes upstream, and its hash is the tenant."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from cachemw.http.messages import HttpRequest
from cachemw.identity.base import CREDENTIAL_HEADERS, Identity
from cachemw.identity.caller import ANONYMOUS, SHARED, Caller, tenant_hash


class PassedThrough(Identity):
    """Maps the presented credential to a tenant: its hash, never the credential itself.

    Remembers up to `remembered` hashes, because every request asks. Without `isolation` all are
    one tenant. Whether a credential is good is for the upstream to say, and a stored answer is
    served to whoever presents the one that it was stored under.
    """

    def __init__(self, *, isolation: bool = True, remembered: int = 4096) -> None:
        self._isolation = isolation
        self._remembered = remembered
        self._callers: dict[tuple[bytes | None, ...], Caller] = {}
        self._shared = Caller(SHARED)

    def admit(self, request: HttpRequest) -> None:
        """Set `request.caller`; raises nothing."""
        request.caller = self._caller(request.headers) if self._isolation else self._shared

    def _caller(self, headers: Mapping[bytes, bytes]) -> Caller:
        # All that are presented count: which of them the upstream looks at is not for us to guess.
        presented = tuple(map(headers.get, CREDENTIAL_HEADERS))
        return self._known(presented) if any(presented) else ANONYMOUS

    def _known(self, presented: tuple[bytes | None, ...]) -> Caller:
        known = self._callers.get(presented)
        if known is None:
            if len(self._callers) >= self._remembered:
                self._callers.clear()
            text = orjson.dumps([(credential or b"").hex() for credential in presented])
            known = self._callers[presented] = Caller(tenant_hash(text))
        return known
