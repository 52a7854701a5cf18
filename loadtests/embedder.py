"""Measures the embedder's runtimes: `python -m loadtests.embedder`.

Every row runs in a process of its own: load time from the start of the interpreter, resident memory
after the first embedding and after the batches, latency and throughput. Prints a Markdown table and
writes it to loadtests/reports/embedder.md. Takes about two minutes. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from cachemw.embed.base import Embedder
from cachemw.embed.batcher import MicroBatcher
from cachemw.embed.load import load_embedder
from cachemw.embed.settings import EmbedderSettings

REPORT = Path(__file__).parent / "reports" / "embedder.md"
QUERY = "how do I reset the password of my online bank account today please"
"""15 tokens, [CLS] and [SEP] included."""
QUIET = 0.1
"""Cores that others may use during a measurement before it is repeated."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    other_load: CPU taken by other processes while it was measured, in cores.
    """

    what: str
    p50_ms: float
    p99_ms: float
    batch_8_per_s: float
    batch_32_per_s: float
    load_s: float
    rss_mb: float
    rss_after_mb: float
    other_load: float


CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("sentence-transformers / torch, f32, 1 thread", {"runtime": "torch"}),
    ("ONNX Runtime, f32, 1 thread", {"runtime": "onnxruntime"}),
    ("ONNX Runtime, f32, 2 threads", {"runtime": "onnxruntime", "threads": 2}),
    ("OpenVINO, f32, 1 thread", {"runtime": "openvino", "precision": "f32"}),
    ("OpenVINO, f32, 2 threads", {"runtime": "openvino", "precision": "f32", "threads": 2}),
    ("OpenVINO, bf16, 1 thread", {"runtime": "openvino", "precision": "bf16"}),
    ("OpenVINO, bf16, 2 threads", {"runtime": "openvino", "precision": "bf16", "threads": 2}),
)


def percentiles_ms(call: Callable[[], object], runs: int) -> tuple[float, float]:
    """Return the median and the 99th percentile of `runs` calls, in milliseconds."""
    for _ in range(runs // 10 + 1):
        call()
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    p50, p99 = np.percentile(seconds, [50, 99]) * 1e3
    return float(p50), float(p99)


def resident_mb() -> float:
    """Return this process's resident memory. Linux only."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_seconds() -> tuple[float, float]:
    """Return the CPU time used so far by the whole machine and by this process. Linux only."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    machine = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return machine, time.process_time()


def measure(what: str, settings: EmbedderSettings, cache_dir: Path, started: float) -> Row:
    """Measure one case in this process, which began at `started` of the monotonic clock."""
    embedder = load_embedder(settings, cache_dir)
    embedder.embed([QUERY])
    load_s = time.monotonic() - started
    rss_mb = resident_mb()
    machine, own = cpu_seconds()
    began = time.perf_counter()
    p50, p99 = percentiles_ms(lambda: embedder.embed([QUERY]), 500)
    eight, _ = percentiles_ms(lambda: embedder.embed([QUERY] * 8), 60)
    thirty_two, _ = percentiles_ms(lambda: embedder.embed([QUERY] * 32), 30)
    machine_after, own_after = cpu_seconds()
    others_s = (machine_after - machine) - (own_after - own)
    return Row(
        what,
        p50_ms=p50,
        p99_ms=p99,
        batch_8_per_s=8e3 / eight,
        batch_32_per_s=32e3 / thirty_two,
        load_s=load_s,
        rss_mb=rss_mb,
        rss_after_mb=resident_mb(),
        other_load=max(0.0, others_s / (time.perf_counter() - began)),
    )


async def batcher_ms(embedder: Embedder) -> tuple[float, float]:
    """Return the median of a call to the batcher, and of its part outside the embedder.

    Taken within the same calls: runs compared with others would differ more than what is measured.
    """
    batcher = MicroBatcher(embedder, timeout_s=10, recent_bytes=0)
    await batcher.start()
    calls, overheads = [], []
    for number in range(1000):
        busy_s = batcher.stats.busy_s
        started = time.perf_counter()
        await batcher.embed(f"{QUERY[:-6]} {number % 10}")
        calls.append(time.perf_counter() - started)
        overheads.append(calls[-1] - (batcher.stats.busy_s - busy_s))
    await batcher.aclose()
    return float(np.median(calls) * 1e3), float(np.median(overheads) * 1e3)


def in_child(case: str, cache_dir: str) -> Any:
    """Run `case` in a fresh interpreter and return what it printed as JSON."""
    command = [sys.executable, "-W", "ignore", "-m", "loadtests.embedder", "--case", case]
    command += ["--cache-dir", cache_dir, "--started", str(time.monotonic())]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def quietest(case: str, cache_dir: str, attempts: int) -> Row | None:
    """Measure `case` until nothing else runs; return the least disturbed attempt."""
    rows: list[Row] = []
    for _ in range(attempts):
        fields = in_child(case, cache_dir)
        if fields is None:
            return None
        rows.append(Row(**fields))
        if rows[-1].other_load < QUIET:
            break
    return min(rows, key=lambda row: row.other_load)


def table(rows: list[Row]) -> str:
    """Return `rows` as a Markdown table."""
    head = (
        "| runtime | one query p50 ms | p99 ms | batch of 8, texts/s | batch of 32, texts/s "
        "| load + first embedding s | RSS then, MB | RSS after batches, MB "
        "| others' load, cores |"
    )
    lines = [head, "|---" + "|---:" * 8 + "|"]
    lines += [
        f"| {row.what} | {row.p50_ms:.2f} | {row.p99_ms:.2f} | {row.batch_8_per_s:.0f} "
        f"| {row.batch_32_per_s:.0f} | {row.load_s:.2f} | {row.rss_mb:.0f} "
        f"| {row.rss_after_mb:.0f} | {row.other_load:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


def processor() -> str:
    """Return the CPU's model name where Linux tells it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def report(rows: list[Row], overhead: tuple[float, float] | None, day: str) -> str:
    """Return the whole report."""
    packages = ("openvino", "onnxruntime", "torch", "sentence-transformers", "numpy")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    conditions = (
        f"{day}, {processor()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"{versions}. Command: `python -m loadtests.embedder`. Model: the packaged "
        "all-MiniLM-L6-v2; the query has 15 tokens. One process per row, graphs prepared before. "
        f"A row over {QUIET} cores of others' load is repeated; the least disturbed one is shown."
    )
    parts = ["# Embedder runtimes", conditions, table(rows)]
    if overhead is not None:
        call, outside = overhead
        parts.append(
            f"Through the micro-batcher at one connection, on uvloop, default runtime: median "
            f"{call:.2f} ms, of which {outside:.3f} ms are the queue, the thread and the way back "
            "to the event loop."
        )
    return "\n\n".join(parts) + "\n"


def run_case(case: str, cache_dir: Path, started: float) -> None:
    """Measure one case and print it as JSON."""
    if case == "batcher":
        embedder = load_embedder(EmbedderSettings(), cache_dir)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(json.dumps(runner.run(batcher_ms(embedder))))
        return
    settings = EmbedderSettings(**dict(CASES)[case])
    print(json.dumps(asdict(measure(case, settings, cache_dir, started))))


def main() -> None:
    """Run all cases, print the table and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--started", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--cache-dir", help="where prepared graphs are kept; default: temporary")
    parser.add_argument("--attempts", type=int, default=5, help="per row, until it is undisturbed")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    options = parser.parse_args()
    if options.case:
        run_case(options.case, Path(options.cache_dir), options.started)
        return
    with tempfile.TemporaryDirectory() as temporary:
        cache_dir = options.cache_dir or temporary
        for runtime in ("onnxruntime", "openvino"):
            load_embedder(EmbedderSettings(runtime=runtime), Path(cache_dir))
        measured = [quietest(case, cache_dir, options.attempts) for case, _ in CASES]
        overhead = in_child("batcher", cache_dir)
    rows = [row for row in measured if row is not None]
    text = report(rows, tuple(overhead) if overhead else None, options.date)
    print(text)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
