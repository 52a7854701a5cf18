"""Virtual API keys: those that are configured are let in, and none of them goes any further.

Keys are kept as their SHA-256. A password needs a salt and a slow hash because it can be guessed; a
key made here has 256 random bits, so neither a table nor trying gets from the hash to the key.

Comparing takes no time that depends on a secret in a way that could be used. The key that matches
is found by the digest of what was presented: how far such a lookup gets may show in its time, but
whoever presents a value cannot choose its digest, and knowing part of a configured digest brings
nobody nearer to its key. What is found is compared whole, in constant time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest

from cachemw.errors import NotAuthenticated
from cachemw.http.messages import HttpRequest
from cachemw.identity.base import CREDENTIAL_HEADERS, Identity
from cachemw.identity.budgets import Account, Budget
from cachemw.identity.caller import SHARED, Caller

_BEARER = b"bearer "
# Azure's and Anthropic's clients have headers of their own.
_PLAIN_HEADERS = (b"api-key", b"x-api-key")
_PREFIX = "sk-cachemw-"
_WHERE = "Send a key as 'Authorization: Bearer KEY', or in the header api-key or x-api-key."


@dataclass(frozen=True, slots=True)
class VirtualKey:
    """`digest` is the SHA-256 of the key; `rpm` and `tpm` are requests and tokens a minute."""

    digest: bytes
    tenant: str
    rpm: int | None = None
    tpm: int | None = None


class VirtualKeys(Identity):
    """Admits requests that present a configured key, as long as its budgets last.

    Keys of one tenant share its answers and have budgets of their own. Without `isolation` all
    tenants are one. Nothing of what was presented is kept, and all credentials are taken out of
    the request: an upstream sees the key configured for it, or none.
    """

    def __init__(
        self,
        keys: Sequence[VirtualKey],
        monotonic: Callable[[], float],
        *,
        isolation: bool = True,
    ) -> None:
        self._known = {
            key.digest: (
                key.digest,
                Caller(f"name:{key.tenant}" if isolation else SHARED, _account(key, monotonic)),
            )
            for key in keys
        }

    def admit(self, request: HttpRequest) -> None:
        """Set `request.caller` and take the credentials away."""
        caller = self._caller(_presented(request.headers))
        if caller.account is not None:
            caller.account.admit()
        request.caller = caller
        request.drop_headers(CREDENTIAL_HEADERS)

    def _caller(self, presented: bytes) -> Caller:
        digest = sha256(presented).digest()
        known = self._known.get(digest)
        if known is None or not compare_digest(known[0], digest):
            raise NotAuthenticated(f"The API key is not known here. {_WHERE}")
        return known[1]


def key_digest(key: str) -> bytes:
    """Return what is kept of a key or token: its SHA-256."""
    return sha256(key.encode()).digest()


def new_key(random_text: Callable[[int], str]) -> str:
    """Return a new key; `random_text` gives so many random bytes as text (`token_urlsafe`)."""
    return _PREFIX + random_text(32)


def _presented(headers: Mapping[bytes, bytes]) -> bytes:
    """Return the key that a request presents.

    Several headers may carry it; two different keys are none, so that nobody in front of this and
    this can see two callers in one request.
    """
    values = {headers[name] for name in _PLAIN_HEADERS if name in headers}
    authorization = headers.get(b"authorization")
    if authorization is not None:
        if authorization[: len(_BEARER)].lower() != _BEARER:
            raise NotAuthenticated(f"The authorization is not a bearer token. {_WHERE}")
        values.add(authorization[len(_BEARER) :].strip())
    if not values:
        raise NotAuthenticated(f"No API key was given. {_WHERE}")
    if len(values) > 1:
        raise NotAuthenticated("Two different API keys were given.")
    return values.pop()


def _account(key: VirtualKey, monotonic: Callable[[], float]) -> Account | None:
    if key.rpm is None and key.tpm is None:
        return None
    return Account(
        None if key.rpm is None else Budget("requests", key.rpm, monotonic),
        None if key.tpm is None else Budget("tokens", key.tpm, monotonic),
    )
