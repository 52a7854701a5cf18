"""Which identity the configuration asks for."""

from __future__ import annotations

from collections.abc import Callable

from cachemw.config import Config
from cachemw.identity.base import Identity
from cachemw.identity.passed_through import PassedThrough
from cachemw.identity.virtual_keys import VirtualKey, VirtualKeys


def identity(config: Config, monotonic: Callable[[], float]) -> Identity:
    """Return virtual keys where there are any, else the clients' own; `monotonic` in seconds."""
    isolation = config.cache.tenant_isolation
    if not config.identity.keys:
        return PassedThrough(isolation=isolation)
    keys = [
        VirtualKey(bytes.fromhex(key.sha256), key.tenant, key.rpm, key.tpm)
        for key in config.identity.keys
    ]
    return VirtualKeys(keys, monotonic, isolation=isolation)
