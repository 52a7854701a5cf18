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

from cachemw.embed.base import Embedder
from cachemw.embed.batcher import MicroBatcher
from cachemw.embed.load import load_embedder
from cachemw.embed.settings import EmbedderSettings

REPORT = Path(__file__).parent / "reports" / "embedder.md"
QUERY = "how do I reset the password of my online bank account today please"
"""15 tokens, [CLS] and [SEP] included."""


@dataclass(frozen=True)
class Row:
    """One line of the table. Milliseconds, texts per second, seconds and MB."""

    what: str
    p50_ms: float
    p99_ms: float
    batch_8_per_s: float
    batch_32_per_s: float
    load_s: float
    rss_mb: float
    rss_after_mb: float


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


def measure(what: str, settings: EmbedderSettings, cache_dir: Path, started: float) -> Row:
    """Measure one case in this process, which began at `started` of the monotonic clock."""
    embedder = load_embedder(settings, cache_dir)
    embedder.embed([QUERY])
    load_s = time.monotonic() - started
    rss_mb = resident_mb()
    p50, p99 = percentiles_ms(lambda: embedder.embed([QUERY]), 500)
    eight, _ = percentiles_ms(lambda: embedder.embed([QUERY] * 8), 60)
    thirty_two, _ = percentiles_ms(lambda: embedder.embed([QUERY] * 32), 30)
    return Row(what, p50, p99, 8e3 / eight, 32e3 / thirty_two, load_s, rss_mb, resident_mb())


async def batcher_overhead_ms(embedder: Embedder) -> tuple[float, float]:
    """Return the medians of the embedder alone and behind the batcher, calls alternating."""
    batcher = MicroBatcher(embedder, timeout_s=10, recent_bytes=0)
    await batcher.start()
    alone, behind = [], []
    for number in range(600):
        started = time.perf_counter()
        embedder.embed([QUERY])
        alone.append(time.perf_counter() - started)
        await asyncio.sleep(0)
        started = time.perf_counter()
        await batcher.embed(f"{QUERY[:-2]} {number % 10}")
        behind.append(time.perf_counter() - started)
    await batcher.aclose()
    return float(np.median(alone) * 1e3), float(np.median(behind) * 1e3)


def in_child(case: str, cache_dir: str) -> Any:
    """Run `case` in a fresh interpreter and return what it printed as JSON."""
    command = [sys.executable, "-W", "ignore", "-m", "loadtests.embedder", "--case", case]
    command += ["--cache-dir", cache_dir, "--started", str(time.monotonic())]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def table(rows: list[Row]) -> str:
    """Return `rows` as a Markdown table."""
    head = (
        "| runtime | one query p50 ms | p99 ms | batch of 8, texts/s | batch of 32, texts/s "
        "| load + first embedding s | RSS then, MB | RSS after batches, MB |"
    )
    lines = [head, "|---" + "|---:" * 7 + "|"]
    lines += [
        f"| {row.what} | {row.p50_ms:.2f} | {row.p99_ms:.2f} | {row.batch_8_per_s:.0f} "
        f"| {row.batch_32_per_s:.0f} | {row.load_s:.2f} | {row.rss_mb:.0f} "
        f"| {row.rss_after_mb:.0f} |"
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
        f"Load average at the end {os.getloadavg()[0]:.1f}; over 1.5 something else ran too."
    )
    parts = ["# Embedder runtimes", conditions, table(rows)]
    if overhead is not None:
        alone, behind = overhead
        parts.append(
            f"Behind the micro-batcher at one connection (default runtime): median {behind:.2f} ms "
            f"against {alone:.2f} ms without it, so {behind - alone:.2f} ms for the queue, the "
            "thread and the way back to the event loop."
        )
    return "\n\n".join(parts) + "\n"


def run_case(case: str, cache_dir: Path, started: float) -> None:
    """Measure one case and print it as JSON."""
    if case == "batcher":
        embedder = load_embedder(EmbedderSettings(), cache_dir)
        print(json.dumps(asyncio.run(batcher_overhead_ms(embedder))))
        return
    settings = EmbedderSettings(**dict(CASES)[case])
    print(json.dumps(asdict(measure(case, settings, cache_dir, started))))


def main() -> None:
    """Run all cases, print the table and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--started", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--cache-dir", help="where prepared graphs are kept; default: temporary")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    options = parser.parse_args()
    if options.case:
        run_case(options.case, Path(options.cache_dir), options.started)
        return
    with tempfile.TemporaryDirectory() as temporary:
        cache_dir = options.cache_dir or temporary
        for runtime in ("onnxruntime", "openvino"):
            load_embedder(EmbedderSettings(runtime=runtime), Path(cache_dir))
        measured = [in_child(case, cache_dir) for case, _ in CASES]
        overhead = in_child("batcher", cache_dir)
    rows = [Row(**fields) for fields in measured if fields is not None]
    text = report(rows, tuple(overhead) if overhead else None, options.date)
    print(text)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
