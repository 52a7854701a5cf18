"""`python -m loadtests.faults`: requests through cachemw while its Redis fails in every way."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import yaml

from loadtests.faults.load import PacedLoad, Results, questions
from loadtests.http.servers import Server, free_port, python, running, serving
from loadtests.report import Bar, Section, at_most, machine, render
from loadtests.stats import spread

_UPSTREAM_MS = 20
_RATE = 100.0
_KNOWN = 300
_NEW_SHARE = 0.2
_EVERYWHERE = frozenset(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True)
class Phase:
    """One state of Redis, and what the requests of that time met."""

    name: str
    results: Results


class Redis:
    """A Redis that can be paused, killed and started again on its port."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self.port = free_port()
        self._server: Server | None = None

    def start(self) -> None:
        """Start it, empty."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--dir", str(self._folder)]
        started = running(command, self.port, _EVERYWHERE, lambda: _listens(self.port))
        self._server = self._stack.enter_context(started)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._server is not None
        os.kill(self._server.pid, number)


async def measure(
    ports: Sequence[int], redis: Redis, seconds: float
) -> tuple[list[Phase], Results]:
    """Return what each state of Redis did to the load, and the same load without cachemw."""
    rng = Random(7)
    upstream_port, *proxies = ports
    load = PacedLoad(proxies, _RATE, questions(rng, _KNOWN, _NEW_SHARE), most=400)
    direct = PacedLoad([upstream_port], _RATE, questions(rng, _KNOWN, _NEW_SHARE), most=400)
    await direct.run(seconds)
    await load.run(seconds)  # fills the cache; not counted
    load.results.shots.clear()
    steps: list[tuple[str, Callable[[], None]]] = [
        ("Redis answers", lambda: None),
        ("Redis paused (SIGSTOP)", lambda: redis.signal(signal.SIGSTOP)),
        ("goes on (SIGCONT)", lambda: redis.signal(signal.SIGCONT)),
        ("Redis killed (SIGKILL)", lambda: redis.signal(signal.SIGKILL)),
        ("restarted, empty", redis.start),
    ]
    begun: list[tuple[str, float]] = []

    async def break_things() -> None:
        for name, action in steps:
            begun.append((name, time.monotonic()))
            await asyncio.to_thread(action)
            await asyncio.sleep(seconds)

    await asyncio.gather(load.run(seconds * len(steps)), break_things())
    ends = [at for _, at in begun[1:]] + [float("inf")]
    phases = [
        Phase(name, load.results.between(start, end))
        for (name, start), end in zip(begun, ends, strict=True)
    ]
    load.close()
    direct.close()
    return phases, direct.results


def section(phases: Sequence[Phase], direct: Results) -> Section:
    """Return the table and the bars."""
    floor = spread(direct.seconds)
    rows = [_row("upstream alone, no cachemw", direct, floor.p99)]
    bars: list[Bar] = []
    for phase in phases:
        rows.append(_row(phase.name, phase.results, floor.p99))
        added = 1000 * (spread(phase.results.seconds).p99 - floor.p99)
        bars.append(at_most(f"{phase.name}: failed requests", phase.results.failed, 0, ""))
        bars.append(at_most(f"{phase.name}: p99 over the upstream's own", added, 50, "ms"))
    about = (
        f"{_RATE:.0f} requests a second in an open loop, {_NEW_SHARE:.0%} of them new, the rest of "
        f"{_KNOWN} questions, against an upstream that takes {_UPSTREAM_MS} ms; no memory tier, so "
        "that every request asks Redis. Times count from when a request was due. Added: over the "
        "99th percentile of the same load straight to the upstream in the same run."
    )
    head = (
        "state",
        "requests",
        "failed",
        "from cache",
        "p50 ms",
        "p99 ms",
        "worst ms",
        "added p99",
    )
    return Section("Redis fails", about, head, rows, bars)


def _row(name: str, results: Results, floor: float) -> list[str]:
    times = spread(results.seconds)
    hits = results.layers["exact"] + results.layers["semantic"]
    return [
        name,
        str(len(results.shots)),
        str(results.failed),
        str(hits),
        f"{1000 * times.p50:.1f}",
        f"{1000 * times.p99:.1f}",
        f"{1000 * max(results.seconds):.1f}",
        f"{1000 * (times.p99 - floor):.1f}",
    ]


@contextmanager
def system(folder: Path, workers: int) -> Iterator[tuple[list[int], Redis]]:
    """Run upstream, Redis and cachemw; yields the ports of upstream and cachemw."""
    with ExitStack() as stack:
        redis = Redis(stack, folder)
        redis.start()
        upstream = free_port()
        fake = python("-m", "loadtests.fake_upstream", "--port", str(upstream))
        fake += ["--ttft-ms", str(_UPSTREAM_MS)]
        stack.enter_context(serving(fake, upstream, _EVERYWHERE))
        port = free_port()
        config = folder / "cachemw.yaml"
        settings = {
            "cache_dir": str(Path.home() / ".cache" / "cachemw"),
            "upstreams": [{"name": "fake", "base_url": f"http://127.0.0.1:{upstream}/v1"}],
            "store": {"kind": "redis", "url": f"redis://127.0.0.1:{redis.port}/0"},
            "cache": {"memory_bytes": 0},
            "server": {"workers": workers},
        }
        config.write_text(yaml.safe_dump(settings))
        serve = python("-m", "cachemw", "serve", "--config", str(config), "--port", str(port))
        stack.enter_context(serving(serve, port, _EVERYWHERE, ready="/readyz"))
        yield [upstream, port], redis


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and write the report; the exit code says whether all bars were met."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each state (default: 10)")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("loadtests/reports/faults.md"))
    arguments = parser.parse_args(argv)
    with (
        tempfile.TemporaryDirectory(prefix="faults-") as scratch,
        system(Path(scratch), arguments.workers) as (ports, redis),
    ):
        phases, direct = asyncio.run(measure(ports, redis, arguments.seconds))
    measured = section(phases, direct)
    conditions = (
        f"{datetime.now(UTC):%Y-%m-%d}, {machine(('cachemw', 'redis'))}. "
        f"Command: `python -m loadtests.faults --workers {arguments.workers}`."
    )
    arguments.out.write_text(render("Redis fails under load", conditions, [measured]))
    print(arguments.out.read_text())
    return 0 if all(bar.met for bar in measured.bars) else 1


if __name__ == "__main__":
    sys.exit(main())
