"""Who a request is from, as the request path sees it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import orjson

from cachemw.identity.budgets import Account


@dataclass(frozen=True, slots=True)
class Caller:
    """`tenant` is part of every key; `account` is what the caller spends from, if it is limited.

    Names of tenants are of three kinds that cannot meet: the words `anonymous` and `shared`, 32 hex
    digits (a hash, of a credential or of a scope), and `name:` with a configured name.
    """

    tenant: str
    account: Account | None = None

    def scoped(self, scope: str | None) -> str:
        """Return the tenant, narrowed by the client's `scope` if there is one.

        Whatever the scope says, the result is a hash of a JSON array, so that no choice of scope
        gives the tenant of somebody else, or of somebody else's scope.
        """
        if not self.tenant:
            raise RuntimeError("The request was never admitted.")
        return self.tenant if scope is None else tenant_hash(orjson.dumps([self.tenant, scope]))


def tenant_hash(secret: bytes) -> str:
    """Return the tenant that stands for `secret`, in 32 hex digits."""
    return blake2b(secret, digest_size=16, person=b"cachemw tenant").hexdigest()


ANONYMOUS = Caller("anonymous")
NOT_ADMITTED = Caller("")
SHARED = "shared"
