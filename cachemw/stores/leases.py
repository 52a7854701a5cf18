"""Leases: at most one process at a time makes the answer to a key, for as long as it lives."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Lease(ABC):
    """The right to make an answer. It ends by itself when its holder dies."""

    @abstractmethod
    async def renew(self) -> bool:
        """Hold it for the full time from now; False where it has ended. `StoreUnavailable`."""

    @abstractmethod
    async def release(self) -> None:
        """Give it up, if it is still held; raises `StoreUnavailable`."""


class Leases(ABC):
    """Gives leases on keys. Every method may raise `StoreUnavailable`, within a bounded time."""

    @abstractmethod
    async def take(self, key: bytes) -> Lease | None:
        """Return the lease on `key`, or None while somebody holds it."""

    @abstractmethod
    async def held(self, key: bytes) -> bool:
        """Return whether somebody holds the lease on `key`."""


class NoLease(Lease):
    """Held by everybody: where nobody can be asked."""

    async def renew(self) -> bool:
        """Hold it."""
        return True

    async def release(self) -> None:
        """Nothing to give up."""


class NoLeases(Leases):
    """For stores without a way to ask others: every lease is granted, nothing is held."""

    def __init__(self) -> None:
        self._lease = NoLease()

    async def take(self, key: bytes) -> Lease | None:  # noqa: ARG002 - asks nobody
        """Grant it."""
        return self._lease

    async def held(self, key: bytes) -> bool:  # noqa: ARG002 - asks nobody
        """Nobody else can be asked."""
        return False
