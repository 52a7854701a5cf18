"""Without a way to ask others every lease is granted."""

from __future__ import annotations

from cachemw.stores.leases import NoLeases
from cachemw.stores.memory import MemoryStore


async def test_everybody_gets_a_lease_and_nobody_holds_one() -> None:
    leases = NoLeases()
    for _ in range(2):
        lease = await leases.take(b"key")
        assert lease is not None
        assert await lease.renew() is True
        assert await leases.held(b"key") is False
        await lease.release()


def test_it_is_what_a_store_has_by_default() -> None:
    assert isinstance(MemoryStore(lambda: 0.0, 1).leases(1.0), NoLeases)
