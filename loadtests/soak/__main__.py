"""Soaks cachemw in a mixed load: `python -m loadtests.soak [--minutes 30] [--store redis]`.

Starts `cachemw serve`, with every bound set so small that it is reached in the warm-up, and a fake
upstream; makes requests of all kinds, good, rude and failing; looks at the service's memory, files
and threads every second. Two minutes already show a leak of a few hundred bytes a request. Exits
with 1 if a bar was missed.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from random import Random

import uvloop

from loadtests.http.redis import redis_server
from loadtests.http.servers import Server, cores, free_port, python, serving
from loadtests.http.shots import TOKENS
from loadtests.http.subject import Section as Config
from loadtests.http.subject import cachemw, redis_section, sqlite_section
from loadtests.report import load_average, machine, render
from loadtests.soak import report
from loadtests.soak.footprint import Footprint, watch
from loadtests.soak.kinds import WEIGHTS, Kinds
from loadtests.soak.load import Pace, Tally, drive
from loadtests.soak.setup import config

REPORT = Path(__file__).parents[1] / "reports" / "soak.md"
_WARM_UP_S = 300.0
_REDIS_MB = 16


@contextmanager
def store(kind: str, scratch: Path) -> Iterator[Config]:
    """Yield the store's section; Redis runs as long."""
    if kind == "redis":
        with redis_server(scratch / "redis", cores().all, _REDIS_MB) as server:
            yield redis_section(server, "soak")
    else:
        yield sqlite_section(scratch / "soak.sqlite3")


async def soak(
    server: Server, options: argparse.Namespace, tally: Tally, seen: list[Footprint]
) -> None:
    """Load the service and watch it."""
    watcher = asyncio.create_task(watch(server.pid, seen))
    pace = Pace(options.connections, options.rate)
    try:
        kinds = Kinds(Random(options.seed), options.only)
        await drive(server.port, kinds, pace, 60 * options.minutes, tally)
    finally:
        watcher.cancel()
        await asyncio.wait([watcher])


def run(options: argparse.Namespace) -> tuple[str, bool]:
    """Soak, and return the report and whether all bars were met."""
    warm_up_s = min(_WARM_UP_S, 60 * options.minutes / 2)
    tally, seen = Tally(), list[Footprint]()
    began, log = load_average(), ""
    port = free_port()
    fake = python("-m", "loadtests.fake_upstream", "--port", str(port), "--tokens", str(TOKENS))
    env = dict(pair.split("=", 1) for pair in options.env)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        cache_dir = options.cache_dir or scratch / "cache"
        with serving(fake, port, cores().all) as upstream, store(options.store, scratch) as section:
            settings = config(upstream, section, cache_dir, options.workers, scratch)
            with cachemw(settings, scratch, "soak", cores().all, env) as server:
                try:
                    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                        runner.run(soak(server, options, tally, seen))
                finally:
                    log = server.log()
    sections = [report.growth(seen, warm_up_s), report.replies(tally), report.said(log)]
    sections.append(report.course(seen))
    conditions = (
        f"{options.date}, {machine(('cachemw', 'uvicorn', 'openvino'))}. {_command(options)} "
        f"{tally.requests} requests in {options.minutes:g} minutes over {options.connections} "
        f"connections, {options.workers} worker(s), store {options.store}. Load average {began} at "
        f"the beginning, {load_average()} at the end."
    )
    met = all(bar.met for section in sections for bar in section.bars)
    return render("Soak", conditions, sections), met


def _command(options: argparse.Namespace) -> str:
    extra = f" --store {options.store}" if options.store != "sqlite" else ""
    extra += f" --only {' '.join(options.only)}" if options.only else ""
    extra += f" --workers {options.workers}" if options.workers > 1 else ""
    return f"Command: `python -m loadtests.soak --minutes {options.minutes:g}{extra}`."


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(prog="python -m loadtests.soak", description=__doc__)
    made.add_argument("--minutes", type=float, default=30.0)
    made.add_argument("--store", choices=("sqlite", "redis", "memory"), default="sqlite")
    made.add_argument("--workers", type=int, default=1)
    made.add_argument("--connections", type=int, default=16)
    made.add_argument("--rate", type=float, default=250.0, help="requests a second")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument(
        "--only", nargs="+", choices=list(WEIGHTS), default=[], help="some kinds only"
    )
    made.add_argument("--env", nargs="*", default=[], help="NAME=VALUE for the service's process")
    made.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    made.add_argument("--cache-dir", type=Path, help="of prepared models; default: temporary")
    made.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    return made


def main() -> int:
    """Soak, print the report and write it."""
    options = parser().parse_args()
    # As an exception, so that the servers are stopped too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    text, met = run(options)
    print(text)
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(text, "utf-8")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
