"""Measures cachemw over HTTP: `python -m loadtests.http [--quick] [--out FILE]`.

Starts everything that it needs on free ports of this machine and stops it again. Floors and
subjects take turns in one run, so that drift hits both alike. Takes about nine minutes (`--quick`:
one, for a first look). Run it on a quiet Linux machine; needs taskset, and wrk for the throughput.
Exits with 1 if a reply was not the right one; a bar that was missed is said in the report.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path

import uvloop

from loadtests.http import added, exact, semantic, start, streaming
from loadtests.http.command import write_report
from loadtests.http.effort import QUICK, Effort
from loadtests.http.rig import Rig, rig
from loadtests.http.servers import cores
from loadtests.report import Section, load_average, machine, render

REPORT = Path(__file__).parents[1] / "reports" / "http.md"
Measure = Callable[[Rig, Effort], Awaitable[Section]]
PARTS: tuple[tuple[str, Measure], ...] = (
    ("exact", exact.measure),
    ("semantic", semantic.measure),
    ("added", added.measure),
    ("streaming", streaming.measure),
    ("start", start.measure),
)


async def measured(
    cache_dir: Path, scratch: Path, effort: Effort, only: list[str]
) -> list[Section]:
    """Measure the chosen parts. Raises Incorrect."""
    sections = []
    with rig(cores(), cache_dir, scratch) as shared:
        # After the upstream and the embedder were started: affinity is inherited.
        os.sched_setaffinity(0, shared.cores.load)
        gc.disable()  # a pause of the client would count as the subject's
        for name, measure in PARTS:
            if name in only:
                print(f"... {name}", file=sys.stderr, flush=True)
                sections.append(await measure(shared, effort))
                gc.collect()
    return sections


def run(options: argparse.Namespace) -> str:
    """Measure, and return the report."""
    began = load_average()
    effort = QUICK if options.quick else Effort()
    with tempfile.TemporaryDirectory() as temporary:
        cache_dir = options.cache_dir or Path(temporary) / "cache"
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            sections = runner.run(measured(cache_dir, Path(temporary), effort, options.only))
    packages = ("cachemw", "uvicorn", "uvloop", "httptools", "httpx", "openvino")
    conditions = (
        f"{options.date}, {machine(packages)}. "
        f"Command: `python -m loadtests.http{' --quick' if options.quick else ''}`. "
        f"Load average of the last minute {began} at the beginning, {load_average()} at the end. "
        "All figures come from this run; every reply outside wrk was checked, its content and the "
        "layer it came from."
    )
    return render("cachemw over HTTP", conditions, sections)


def main() -> int:
    """Measure, print the report and write it."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.http", description=__doc__)
    names = [name for name, _ in PARTS]
    parser.add_argument("--quick", action="store_true", help="few and short rounds")
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="some parts only")
    parser.add_argument("--cache-dir", type=Path, help="of prepared models; default: temporary")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    options = parser.parse_args()
    return write_report(run, options)


if __name__ == "__main__":
    sys.exit(main())
