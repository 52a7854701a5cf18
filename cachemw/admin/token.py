"""The admin token: who may use `/cache/*`."""

from __future__ import annotations

import hmac
from hashlib import sha256

from cachemw.errors import AdminClosed, NotAuthenticated

_SHOWN = 8


class AdminToken:
    """Checks a presented token against the hash of the right one; None keeps the door closed."""

    def __init__(self, sha256_hex: str | None) -> None:
        self._expected = sha256_hex

    def check(self, presented: str | None) -> str:
        """Return whose token it is, as the beginning of its hash.

        Hashes are compared in constant time. `presented` is the header's value, one character a
        byte. Raises AdminClosed, NotAuthenticated.
        """
        if self._expected is None:
            raise AdminClosed(
                "The admin endpoints are closed: set admin.token_env or admin.token_sha256."
            )
        if presented is None:
            raise NotAuthenticated("Needs the admin token, as 'Authorization: Bearer TOKEN'.")
        digest = sha256(presented.encode("latin-1", "replace")).hexdigest()
        if not hmac.compare_digest(digest, self._expected):
            raise NotAuthenticated("This is not the admin token.")
        return digest[:_SHOWN]
