"""Keeps the store within its capacity and every category within its own.

Own design. Entries go before the store is full, in batches: the store's own bound, which knows
nothing of categories, is only met when this does not come to work. One process evicts at a time:
where processes can take leases who holds the one on `EVICTION`, elsewhere the one that is told to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from cachemw_policies.category import PolicySet
from cachemw_policies.quota import Amount, Claim, surplus

from cachemw.errors import StoreUnavailable
from cachemw.quotas.choosing import in_use, least_valuable
from cachemw.quotas.follow import Follower
from cachemw.quotas.ledger import Ledger
from cachemw.quotas.view import CategoryUse, uses
from cachemw.states import DependencyState
from cachemw.stores.base import DocumentStore
from cachemw.stores.leases import Lease

#: What the lease of whoever evicts is on: no document's key, which are hashes.
EVICTION = b"cachemw eviction".ljust(32, b"\0")
_LEASE_SECONDS = 5.0
#: Parts of the capacity: where eviction begins, and down to where it goes.
_HIGH = 0.97
_LOW = 0.96
#: The part of the capacity by which store and ledger may differ before they are compared.
_DRIFT = 0.05
_BATCH = 256
_EXPIRED_AT_ONCE = 512
_NOTHING = Amount(0, 0)


class Informed(Protocol):
    """Who has to know what went."""

    async def forget(self, keys: Sequence[bytes]) -> None:
        """Drop documents from memory and index."""

    def evicted(self, category: str, reason: str, count: int) -> None:
        """Count them: `reason` is "quota" or "expired"."""


@dataclass(frozen=True, slots=True)
class EvictorSettings:
    """`capacity` is what the store may hold, `inf` for no bound.

    `may_evict` is for one process on a store without leases. `sizes_known`: whether the store's own
    statistics are the bytes of its documents; else the ledger's count.
    """

    capacity: Amount
    may_evict: bool = True
    sizes_known: bool = True


class Evictor:
    """Evicts by quota and value; `policies` returns the policies in force."""

    def __init__(
        self,
        settings: EvictorSettings,
        store: DocumentStore,
        ledger: Ledger,
        follower: Follower,
        policies: Callable[[], PolicySet],
        informed: Informed,
        state: DependencyState,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._store = store
        self._ledger = ledger
        self.follower = follower
        self._policies = policies
        self._informed = informed
        self._state = state
        self._clock = clock
        self._leases = store.leases(_LEASE_SECONDS)
        self._high = settings.capacity.times(_HIGH)
        self._low = settings.capacity.times(_LOW)
        self._excused = _NOTHING
        self._wanted = asyncio.Event()
        ledger.watch(self._high, self._wanted.set)

    async def run(self, seconds: float) -> None:
        """Work every so many `seconds`, and as soon as the store gets full, until cancelled."""
        while True:
            # Not wait_for: before Python 3.12 it can lose a cancellation.
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wanted.wait()
            self._wanted.clear()
            if not await self.step():
                await asyncio.sleep(min(seconds, 0.1))  # full, and not ours to empty

    async def step(self) -> int:
        """Evict what has to go; returns how many did. A failure stops it until the next time."""
        try:
            gone = await self._step()
        except Exception as error:  # noqa: BLE001 - eviction must outlive whatever this was
            self._state.down(type(error).__name__, "evict")
            return 0
        self._state.up("evict")
        return gone

    def view(self) -> dict[str, CategoryUse]:
        """Return what each category holds and may hold, by name, also where that is nothing."""
        claims = self._claims(self._policies().names)
        return uses(claims, self._settings.capacity, self._low)

    async def _step(self) -> int:
        await self._expire()
        if not self.follower.filled:
            await self.follower.fill()
        if not self._settings.may_evict or not self._surplus(await self._unknown(), {}):
            return 0
        lease = await self._leases.take(EVICTION)
        if lease is None:
            return 0
        try:
            return await self._make_room(lease)
        finally:
            with suppress(StoreUnavailable):
                await lease.release()

    async def _expire(self) -> None:
        more = True
        while more:
            more = self._ledger.expired(self._clock(), _EXPIRED_AT_ONCE) == _EXPIRED_AT_ONCE
            await asyncio.sleep(0)

    async def _make_room(self, lease: Lease) -> int:
        """Remove what has expired, which may be enough, then what has to go."""
        if expired := await self._store.remove_expired():
            self._informed.evicted("default", "expired", expired)
        unknown = await self._unknown()
        if self._drifted(unknown):
            await self.follower.fill()
            self._excused = unknown = await self._unknown()
        gone = 0
        for category, amount in self._surplus(unknown, await in_use(self._ledger)).items():
            keys = await least_valuable(self._ledger, category, amount)
            for start in range(0, len(keys), _BATCH):
                if not await lease.renew():
                    return gone
                gone += await self._remove(category, keys[start : start + _BATCH])
        return gone

    async def _remove(self, category: str, keys: Sequence[bytes]) -> int:
        count = await self._store.delete_many(keys)
        self._ledger.removed(keys)
        self._informed.evicted(category, "quota", count)
        await self._informed.forget(keys)
        return count

    async def _unknown(self) -> Amount:
        """Return what the store holds beyond what the ledger knows; negative where it is less."""
        stats, held = await self._store.stats(), self._ledger.held
        size = stats.stored_bytes - held.size if self._settings.sizes_known else 0
        return Amount(stats.entries - held.entries, size)

    def _drifted(self, unknown: Amount) -> bool:
        """Whether ledger and store have to be compared; not for what the last time has left."""
        held, excused = self._ledger.held, self._excused
        return (
            abs(unknown.entries - excused.entries) > _DRIFT * max(held.entries, _BATCH)
            or abs(unknown.size - excused.size) > _DRIFT * self._settings.capacity.size
        )

    def _surplus(self, unknown: Amount, used: Mapping[str, Amount]) -> dict[str, Amount]:
        """Return what each category has to give up, also for what nothing is known of."""
        claims = {n: replace(c, used=used.get(n)) for n, c in self._claims().items()}
        return surplus(claims, _less(self._high, unknown), _less(self._low, unknown))

    def _claims(self, names: Sequence[str] = ()) -> dict[str, Claim]:
        policies, totals = self._policies(), self._ledger.totals()
        nothing = dict.fromkeys(names, _NOTHING)
        return {
            name: Claim(held, policies.of(name).quota, policies.of(name).priority)
            for name, held in (nothing | totals).items()
        }


def _less(mark: Amount, unknown: Amount) -> Amount:
    # Half of it at least: what we cannot tell apart must not cost all that we can.
    return Amount(
        max(mark.entries - unknown.entries, mark.entries / 2),
        max(mark.size - unknown.size, mark.size / 2),
    )
