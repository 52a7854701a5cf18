"""Makes the probes: some connections, each with a pause between two requests."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from loadtests.http.client import HOST, Connection
from loadtests.soak.kinds import Kinds, Probe

_PATIENCE_S = 30.0
"""Past it a request counts as hanging."""
_SHOWN = 20


@dataclass
class Tally:
    """What came back: by kind and outcome; the first faults in words."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        """How many requests were made."""
        return self.outcomes.total()

    def fault(self, kind: str, what: str) -> None:
        """Note that something is not as it must be."""
        self.outcomes[kind, "FAULT"] += 1
        text = f"{kind}: {what}"
        self.faults[text if text in self.faults or len(self.faults) < _SHOWN else "others"] += 1


@dataclass(frozen=True, slots=True)
class Pace:
    """Requests a second over all connections."""

    connections: int
    per_second: float

    @property
    def pause_s(self) -> float:
        """The mean pause of one connection between two requests."""
        return self.connections / self.per_second


async def drive(port: int, kinds: Kinds, pace: Pace, seconds: float, tally: Tally) -> None:
    """Make requests of these kinds for so many seconds."""
    end = asyncio.get_running_loop().time() + seconds
    async with asyncio.TaskGroup() as clients:
        for _ in range(pace.connections):
            clients.create_task(_client(port, kinds, pace, end, tally))


async def _client(port: int, kinds: Kinds, pace: Pace, end: float, tally: Tally) -> None:
    loop = asyncio.get_running_loop()
    connection: Connection | None = None
    while loop.time() < end:
        await asyncio.sleep(kinds.rng.expovariate(1 / pace.pause_s))
        name, probe = kinds.draw()
        if probe.cut:
            tally.outcomes[name, await _leave(port, probe)] += 1
            continue
        if connection is None:
            connection = await Connection.open(port)
        if not await _ask(connection, name, probe, tally):
            connection.close()
            connection = None
    if connection is not None:
        connection.close()


async def _ask(connection: Connection, name: str, probe: Probe, tally: Tally) -> bool:
    """Make one request; returns whether the connection may be used again."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            response = await connection.request(probe.raw)
    except TimeoutError:
        tally.fault(name, f"no reply in {_PATIENCE_S:g} s")
        return False
    except ConnectionError as error:
        if probe.closes:
            tally.outcomes[name, "closed"] += 1
        else:
            tally.fault(name, str(error))
        return False
    wrong = probe.check(response)
    if wrong is not None:
        tally.fault(name, wrong)
    else:
        layer = response.header(b"x-cachemw-layer").decode()
        tally.outcomes[name, f"{response.status} {layer}".strip()] += 1
    return response.header(b"connection") != b"close"


async def _leave(port: int, probe: Probe) -> str:
    """Send, read a little, and hang up without a word."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(probe.raw)
        async with asyncio.timeout(probe.leave_s):
            await reader.readexactly(probe.cut)
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        transport = writer.transport
        transport.abort()
    return "left"
