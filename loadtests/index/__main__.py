"""Compares the exact scan with the HNSW graph: `python -m loadtests.index [--quick]`.

`python -m loadtests.index churn` is another benchmark: see churn_report.py.
Writes loadtests/reports/index.md. Takes about five minutes (`--quick`: one), most of it for
building graphs. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import uvloop

from cachemw.config import default_cache_dir
from loadtests.index import churn_report
from loadtests.index.advise import BLOCK_MS, Advice, advise
from loadtests.index.measure import TOP_K, Size, hop, sizes
from loadtests.index.vectors import QUERIES, DataSet, clustered, real
from loadtests.report import Section, load_average, machine, render
from loadtests.stats import Spread

REPORT = Path(__file__).parents[1] / "reports" / "index.md"
SIZES = (250, 500, 1000, 2000, 3000, 4000, 6000, 8000, 12_000, 16_000, 32_000, 64_000)
QUICK = (250, 1000, 2000, 4000, 8000, 16_000)


def section(data: DataSet, measured: Sequence[Size], advice: Advice) -> Section:
    """Return the table of one data set with its advice."""
    about = (
        f"{len(data.stored)} vectors, {QUERIES} queries that are not among them, k = {TOP_K}. "
        f"From **{_count(advice.slower)}** vectors the scan is slower than graph and hop, and from "
        f"**{_count(advice.blocks)}** it takes {BLOCK_MS} ms of the event loop: switch at "
        f"**{_count(advice.switch_at)}**."
    )
    head = (
        "vectors",
        "scan p50 ms",
        "scan p99 ms",
        "graph p50 ms",
        "graph p99 ms",
        "scan insert ms",
        "graph insert ms",
        "graph built in s",
        "graph recall@1",
    )
    return Section(data.name, about, head, [_row(size) for size in measured])


def _row(size: Size) -> tuple[str, ...]:
    times = (size.flat.p50, size.flat.p99, size.graph.p50, size.graph.p99)
    return (
        str(size.size),
        *(f"{ms:.3f}" for ms in times),
        f"{size.flat_insert:.4f}",
        f"{size.graph_insert:.3f}",
        f"{size.build_s:.1f}",
        f"{size.recall:.3f}",
    )


def _count(vectors: int | None) -> str:
    return "more than was measured" if vectors is None else str(vectors)


def conditions(options: argparse.Namespace, began: str, hop_ms: Spread) -> str:
    """Return how it was measured."""
    packages = ("cachemw", "hnswlib", "numpy", "openvino")
    blas = os.environ.get("OPENBLAS_NUM_THREADS", "as many as cores")
    return (
        f"{options.date}, {machine(packages)}. "
        f"Command: `python -m loadtests.index{' --quick' if options.quick else ''}`. "
        f"Load average of the last minute {began} at the beginning, {load_average()} at the end. "
        "Small partitions are scanned on the event loop; graphs are searched on a thread, because "
        "hnswlib releases the GIL and takes one call at a time. That hop there and back (uvloop, "
        f"one worker, nothing to do) took p50 {hop_ms.p50:.3f} ms, p99 {hop_ms.p99:.3f} ms in this "
        "run. Vectors are inserted one by one, as the server does it. Threads of BLAS for the scan "
        f"(OPENBLAS_NUM_THREADS): {blas}."
    )


def main() -> None:
    """Measure all data sets, print the report and write it."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.index", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--cache-dir", type=Path, help="of prepared models")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    options = parser.parse_args()
    began = load_average()
    wanted = QUICK if options.quick else SIZES
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        hop_ms = runner.run(hop())
    sections = []
    cache_dir = options.cache_dir or default_cache_dir(os.environ)
    for data in (clustered(wanted[-1]), real(wanted[-1], cache_dir)):
        if data is None:
            continue
        print(f"... {data.name}", file=sys.stderr, flush=True)
        measured = list(sizes(data, wanted))
        sections.append(section(data, measured, advise(measured, hop_ms.p50)))
    text = render("Exact scan or graph", conditions(options, began, hop_ms), sections)
    print(text)
    options.out.write_text(text, "utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["churn"]:
        churn_report.main(sys.argv[2:])
    else:
        main()
