"""Single-flight across workers and replicas: one of them calls, the others wait for its answer.

Own design. The caller holds a lease on the request's key, which it renews while the call lasts and
which ends by itself when its process dies. The others look for the stored answer, at first often,
then less so. Their wait is bounded, and whatever goes wrong with leases or store ends in a call of
one's own: then sharing is per process again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

import orjson

from cachemw.ask import Ask
from cachemw.errors import StoreUnavailable
from cachemw.exact import ExactTier, Resident
from cachemw.flight import Flight, FlightHead
from cachemw.http.messages import JSON_TYPE
from cachemw.metrics import Metrics
from cachemw.replay import Replayer
from cachemw.states import DependencyState
from cachemw.stores.leases import Lease, Leases, NoLease

_FIRST_LOOK_SECONDS = 0.005
_LAST_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class SharedSettings:
    """Seconds: `max_wait` for another's answer; leases are renewed every `renew`."""

    max_wait: float
    renew: float


class Call(Protocol):
    """The upstream side of a flight."""

    async def fetch(self, ask: Ask, flight: Flight) -> None:
        """Run a call and fill the flight with what it brings. Raises UpstreamError."""


class SharedCall:
    """A call that is made only if no other process is making it."""

    def __init__(
        self,
        settings: SharedSettings,
        call: Call,
        leases: Leases,
        exact: ExactTier,
        replayer: Replayer,
        metrics: Metrics,
        state: DependencyState,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._call = call
        self._leases = leases
        self._exact = exact
        self._replayer = replayer
        self._metrics = metrics
        self._state = state
        self._sleep = sleep

    async def fetch(self, ask: Ask, flight: Flight) -> None:
        """Fill the flight from another process's answer, else by a call. Raises UpstreamError."""
        if not (ask.directives.read and ask.directives.store):
            await self._call.fetch(ask, flight)
            return
        lease = await self._take(ask.key) or await self._wait(ask)
        if isinstance(lease, Resident):
            self._deliver(ask, flight, lease)
            return
        async with self._held(lease):
            await self._call.fetch(ask, flight)

    async def _take(self, key: bytes) -> Lease | None:
        """Return a lease, or None if another process has it. Without leases everybody has one."""
        try:
            lease = await self._leases.take(key)
        except StoreUnavailable as error:
            self._state.down(type(error).__name__, "lease")
            return NoLease()
        self._state.up("lease")
        return lease

    async def _wait(self, ask: Ask) -> Resident | Lease:
        """Return the other's answer, or a lease to call: it failed, died, or takes too long."""
        outcome: Resident | Lease = NoLease()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.max_wait):
                outcome = await self._answer_or_lease(ask)
        label = "answered" if isinstance(outcome, Resident) else "called"
        self._metrics.singleflight_remote.labels(label).inc()
        return outcome

    async def _answer_or_lease(self, ask: Ask) -> Resident | Lease:
        pause = _FIRST_LOOK_SECONDS
        while True:
            await self._sleep(pause)
            pause = min(2 * pause, _LAST_LOOK_SECONDS)
            # First the lease, then the answer: it is stored before the lease is given back.
            lease = await self._take(ask.key)
            found = await self._exact.find(ask.key, ask.max_age)
            if isinstance(found, Resident):
                await self._give_back(lease)
                return found
            if lease is not None:
                return lease

    def _deliver(self, ask: Ask, flight: Flight, found: Resident) -> None:
        """Fill the flight with a plain answer; its readers turn it into what they asked for."""
        head = FlightHead(200, [], JSON_TYPE[1], is_stream=False)
        body = self._replayer.stored_body(ask, found.document)
        flight.fill(head, body, orjson.loads(found.document.body))

    @asynccontextmanager
    async def _held(self, lease: Lease) -> AsyncIterator[None]:
        """Renew the lease during a call and give it back after."""
        renewing = asyncio.create_task(self._renew(lease))
        try:
            yield
        finally:
            renewing.cancel()
            await self._give_back(lease)

    async def _renew(self, lease: Lease) -> None:
        while True:
            await self._sleep(self._settings.renew)
            with suppress(StoreUnavailable):  # then it ends by itself, and another call is made
                await lease.renew()

    async def _give_back(self, lease: Lease | None) -> None:
        with suppress(StoreUnavailable):
            if lease is not None:
                await lease.release()
