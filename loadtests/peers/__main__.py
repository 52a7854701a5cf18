"""Measures cachemw beside others: `python -m loadtests.peers [--quick] [--out FILE]`.

Beside a bare ASGI application, nginx in front of the same upstream, and LiteLLM's proxy with its
caches in memory and in Redis. Everything is started on free ports and stopped again; all subjects
take turns in one run, so that drift hits them alike. LiteLLM is installed once into an environment
of its own, outside the project (`--peers-dir`). Takes about twelve minutes (`--quick`: two). Run it
on a quiet Linux machine with wrk, redis-server and, for its rows, nginx. Exits with 1 if a reply
was not the right one; a bar that was missed is said in the report.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from pathlib import Path

import uvloop

from loadtests.http.command import write_report
from loadtests.http.rig import rig
from loadtests.http.servers import cores
from loadtests.peers import latency, rates
from loadtests.peers.effort import QUICK, Effort
from loadtests.peers.litellm import VERSION, environment
from loadtests.peers.subjects import VARIANTS, Field, Variant, field
from loadtests.report import Section, load_average, machine, render

REPORT = Path(__file__).parents[1] / "reports" / "peers.md"
PEERS_DIR = Path.home() / ".cache" / "cachemw-loadtests"
Measure = Callable[[Field, Effort], Awaitable[Section]]
PARTS: tuple[tuple[str, Measure], ...] = (
    ("exact", rates.exact),
    ("added", latency.added),
    ("misses", rates.misses),
    ("streams", latency.streams),
    ("semantic", rates.semantic),
)


async def measured(started: Field, effort: Effort, only: Sequence[str]) -> list[Section]:
    """Measure the chosen parts. Raises Incorrect."""
    gc.disable()  # a pause of the client would count as the subject's
    sections = []
    for name, measure in PARTS:
        if name in only:
            print(f"... {name}", file=sys.stderr, flush=True)
            sections.append(await measure(started, effort))
            gc.collect()
    return sections


def run(options: argparse.Namespace) -> str:
    """Measure, and return the report."""
    began, started_at = load_average(), time.monotonic()
    program = None if options.without_litellm else environment(options.peers_dir)
    variants = chosen(options.stores, options.workers)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        with (
            rig(cores(), options.cache_dir or scratch / "cache", scratch) as shared,
            field(shared, program, variants) as started,
        ):
            # After everything was started: affinity is inherited.
            os.sched_setaffinity(0, shared.cores.load)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                effort = QUICK if options.quick else Effort()
                sections = runner.run(measured(started, effort, options.only))
    packages = ("cachemw", "uvicorn", "uvloop", "httptools", "redis")
    conditions = (
        f"{options.date}, {machine(packages)}, litellm {VERSION}. "
        f"Command: `python -m loadtests.peers{' --quick' if options.quick else ''}`, "
        f"{(time.monotonic() - started_at) / 60:.0f} minutes. Load average of the last minute "
        f"{began} at the beginning, {load_average()} at the end. All figures come from this run."
    )
    return render("cachemw and its peers", conditions, sections)


def chosen(stores: Sequence[str], workers: int) -> list[Variant]:
    """Return the variants over some stores, with so many workers at most."""
    return [v for v in VARIANTS if v.store.lower() in stores and v.workers <= workers]


def main() -> int:
    """Measure, print the report and write it."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.peers", description=__doc__)
    names = [name for name, _ in PARTS]
    stores = ["sqlite", "redis"]
    parser.add_argument("--quick", action="store_true", help="few and short rounds")
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="some parts only")
    parser.add_argument("--stores", nargs="+", choices=stores, default=stores)
    parser.add_argument("--workers", type=int, default=2, help="of cachemw, at most")
    parser.add_argument("--without-litellm", action="store_true")
    parser.add_argument("--peers-dir", type=Path, default=PEERS_DIR, help="where LiteLLM is put")
    parser.add_argument("--cache-dir", type=Path, help="of prepared models; default: temporary")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    options = parser.parse_args()
    return write_report(run, options)


if __name__ == "__main__":
    sys.exit(main())
