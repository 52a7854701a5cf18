"""Running wrk and reading what it says."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

from loadtests.http.client import HOST
from loadtests.http.servers import pinned
from loadtests.http.shots import Incorrect

# Its own text output rounds; the script's `done` gets microseconds.
_SCRIPT = """wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = %s
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\nRESULT {"requests": %%d, "microseconds": %%d, "p50_us": %%.1f, "p99_us": %%.1f, ' ..
    '"failed": %%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """One run: how many requests, at which rate, and latencies in milliseconds."""

    requests: int

    per_second: float
    p50_ms: float
    p99_ms: float


def write_script(path: Path, body: bytes) -> None:
    """Write the script that posts `body`."""
    path.write_text(_SCRIPT % json.dumps(body.decode()), "utf-8")


def parse(output: str) -> Load:
    """Read a run's result. Raises Incorrect if a request failed."""
    line = next((x for x in output.splitlines() if x.startswith("RESULT ")), None)
    if line is None:
        raise RuntimeError(f"wrk said nothing of use: {output}")
    result = json.loads(line.removeprefix("RESULT "))
    if result["failed"] or not result["requests"]:
        raise Incorrect(f"wrk: {result['failed']} of {result['requests']} requests failed")
    return Load(
        result["requests"],
        result["requests"] / (result["microseconds"] / 1e6),
        result["p50_us"] / 1e3,
        result["p99_us"] / 1e3,
    )


async def wrk(port: int, script: Path, connections: int, seconds: int, on: frozenset[int]) -> Load:
    """Run wrk for some seconds on the given cores."""
    url = f"http://{HOST}:{port}/v1/chat/completions"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url]
    process = await asyncio.create_subprocess_exec(
        *pinned(command, on), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return parse(output.decode())
