"""Running wrk and reading what it says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests.http.client import HOST
from loadtests.http.servers import pinned
from loadtests.http.shots import Incorrect
from loadtests.http.wording import JOINTS, PARTS, STRIDE

# Its own text output rounds; the script's `done` gets microseconds.
_DONE = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\nRESULT {"requests": %d, "microseconds": %d, "p50_us": %.1f, "p99_us": %.1f, ' ..
    '"failed": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""
_HEAD = """wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
"""
_NUMBERED = """local before, after, number = %s, %s, 0
request = function()
  number = number + 1
  return wrk.format(nil, nil, nil, before .. number .. after)
end
"""
# `task` of wording.py over again.
_WORDED = """local before, after, number = %s, %s, 0
local joints, parts = %s, %s
request = function()
  number = number + 1
  local rest, text = number * %d, before
  for slot, words in ipairs(parts) do
    text = text .. joints[slot] .. words[rest %% #words + 1]
    rest = math.floor(rest / #words)
  end
  return wrk.format(nil, nil, nil, text .. after)
end
"""
# Longer than its own two seconds: a slow reply is not a failed one.
_PATIENCE = ("--timeout", "30s")
NUMBER = "<number>"
"""Stands in a body for what differs from request to request."""
TASK = "<task>"
"""Stands there for a task in words, between which no guard makes a difference."""


class NoReply(Incorrect):
    """Not one request was answered while wrk ran."""


@dataclass(frozen=True, slots=True)
class Load:
    """One run: how many requests, at which rate, and latencies in milliseconds."""

    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float


def write_script(path: Path, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    """Write the script that posts `body`; with NUMBER or TASK in it every request is another."""
    lines = [
        f"wrk.headers[{json.dumps(k)}] = {json.dumps(v)}\n" for k, v in (headers or {}).items()
    ]
    text = body.decode()
    if NUMBER in text:
        before, after = text.split(NUMBER)
        requests = _NUMBERED % (json.dumps(before), json.dumps(after))
    elif TASK in text:
        before, after = text.split(TASK)
        tables = "{" + ", ".join(map(_table, PARTS)) + "}"
        ends = json.dumps(before), json.dumps(after)
        requests = _WORDED % (*ends, _table(JOINTS), tables, STRIDE)
    else:
        requests = f"wrk.body = {json.dumps(text)}\n"
    path.write_text(_HEAD + "".join(lines) + requests + _DONE, "utf-8")


def _table(texts: Sequence[str]) -> str:
    return "{" + ", ".join(map(json.dumps, texts)) + "}"


def parse(output: str) -> Load:
    """Read a run's result. Raises Incorrect if a request failed, NoReply if none was answered."""
    line = next((x for x in output.splitlines() if x.startswith("RESULT ")), None)
    if line is None:
        raise RuntimeError(f"wrk said nothing of use: {output}")
    result = json.loads(line.removeprefix("RESULT "))
    if not result["requests"] and not result["failed"]:
        raise NoReply("wrk: no reply came in the time given")
    if result["failed"]:
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
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        *_PATIENCE,
        "-s",
        str(script),
        url,
    ]
    process = await asyncio.create_subprocess_exec(
        *pinned(command, on), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return parse(output.decode())
