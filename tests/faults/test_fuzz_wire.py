"""Damaged bytes on real connections, through the HTTP parser and on to a real upstream."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.faults.conftest import Fleet, ask
from tests.support.mutation import Sent, mutated_bytes, request

REQUESTS = 3_200
AT_ONCE = 250
# What is damaged so that the server waits for more is given up; what is whole must be answered.
PATIENCE, WITHIN = 1.0, 60.0
GROWTH = 64 * 1024  # kB
_INVALID = b"Invalid HTTP request received."  # uvicorn's answer to what is no HTTP at all


@dataclass(frozen=True, slots=True)
class Wire:
    """Bytes to send; `whole` where they are one request that HTTP's framing has an answer to."""

    data: bytes
    whole: bool


def rendered(rng: Random, sent: Sent) -> Wire:
    """Write a request as HTTP/1.1, chunked or with its length, and perhaps damage that."""
    target = sent.path + (b"?" + sent.query if sent.query else b"")
    framing = (b"content-length", b"transfer-encoding", b"expect")
    headers = [(name, value) for name, value in sent.headers if name not in framing]
    headers = [(_cased(rng, name), value) for name, value in headers]
    body = b"".join(sent.pieces)
    if rng.random() < 0.4:
        headers.append((b"Transfer-Encoding", b"chunked"))
        body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in sent.pieces if p) + b"0\r\n\r\n"
    else:
        headers.append((b"Content-Length", b"%d" % len(body)))
    lines = [b"%s %s HTTP/1.1" % (sent.method.encode(), target), b"Host: x"]
    lines += [b"%s: %s" % header for header in headers]
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    kind = rng.randrange(4)
    if kind == 0:
        return Wire(mutated_bytes(rng, head) + body, whole=False)
    if kind == 1:
        return Wire(head + mutated_bytes(rng, body), whole=False)
    if kind == 2:
        return Wire(head.replace(*rng.choice(_REWRITES), 1) + body, whole=False)
    # A method in lower case is none to the parser, which then waits for no body.
    return Wire(head + body, whole=sent.method.isupper() and sent.method != "BREW")


_REWRITES = (
    (b"Content-Length: ", b"Content-Length: 5\r\nContent-Length: "),
    (b"Content-Length: ", b"Content-Length: -"),
    (b"Content-Length: ", b"Content-Length: 99999999999999999999"),
    (b"Content-Length: ", b"Transfer-Encoding: chunked\r\nContent-Length: "),
    (b"chunked", b"gzip, chunked"),
    (b"Host: x\r\n", b""),
    (b"Host: x", b"Host: x\r\nHost: y"),
    (b"HTTP/1.1", b"HTTP/1.0"),
    (b"HTTP/1.1", b"HTTP/9.9"),
    (b" HTTP/1.1", b""),
    (b"\r\n", b"\n"),
    (b"\r\n", b"\r\n folded: yes\r\n"),
    (b"\r\n", b"\r\nA: " + b"a" * 70_000 + b"\r\n"),
    (b"\r\n", b"\r\n" + b"B: b\r\n" * 2_000),
    (b"/", b"/" + b"a" * 70_000),
    (b"/", b"http://elsewhere/"),
    (b"/v1/", b"/v1/\x00"),
    (b"/v1/", b"/v1/\xc3\xa4"),
    (b"/v1/", b"*"),
    (b"Host: x", b"Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade"),
    (b"Host: x", b"Host: x\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings"),
    (b"Host: x", b"Host: x\r\nExpect: 100-continue"),
    (b"Host: x", b"Host: \xff\xfe"),
)


def _cased(rng: Random, name: bytes) -> bytes:
    return rng.choice((name, name.title(), name.upper()))


async def answered(port: int, wire: Wire) -> tuple[int, bytes, bytes]:
    """Return status, head and body of the answer; status 0 where there was none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with suppress(ConnectionError):
            writer.write(wire.data)
            await writer.drain()
        async with asyncio.timeout(WITHIN if wire.whole else PATIENCE):
            return await _read(reader, bodiless=wire.data.startswith(b"HEAD "))
    except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, ValueError):
        if wire.whole:
            raise
        return 0, b"", b""
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def _read(reader: asyncio.StreamReader, *, bodiless: bool) -> tuple[int, bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if status == 100:
        return await _read(reader, bodiless=bodiless)
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    if bodiless or b"content-length" not in fields or status in (101, 204, 304):
        return status, head, b""
    return status, head, await reader.readexactly(int(fields[b"content-length"]))


def _judge(wire: Wire, status: int, head: bytes, body: bytes) -> None:
    sent = wire.data[:2000]
    if status < 400 or body == _INVALID:
        return
    # It comes from the upstream: whatever it says is not ours.
    if b"x-cachemw-layer: upstream" in head:
        return
    assert status not in (500, 501), (body, sent)
    if body:
        error = json.loads(body)["error"]
        assert set(error) == {"message", "type", "param", "code"}, sent


def _resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


async def _all_answered(port: int, wires: list[Wire]) -> Counter[int]:
    """Send all, so many at once, judge the answers and count their statuses."""
    left, statuses = iter(wires), Counter[int]()

    async def client() -> None:
        for wire in left:
            status, head, body = await answered(port, wire)
            _judge(wire, status, head, body)
            statuses[status] += 1

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return statuses


@pytest.mark.timeout(600)
def test_damaged_bytes(fleet: Fleet) -> None:
    upstream = fleet.upstream()
    # The fake answers some of this with 500, which is not what is tested here.
    patient = {"name": "fake", "base_url": upstream.url + "/v1", "breaker_failures": 1_000_000}
    server = fleet.cachemw(fleet.config(upstream.url, upstreams=[patient]))
    rng = Random(20261123)
    wires = [rendered(rng, request(rng)) for _ in range(REQUESTS)]
    statuses = asyncio.run(_all_answered(server.port, wires[: REQUESTS // 2]))
    before = _resident_kb(server.pid)
    statuses += asyncio.run(_all_answered(server.port, wires[REQUESTS // 2 :]))
    assert ask(server, "And now?").status_code == 200
    metrics = httpx.get(server.url + "/metrics").text
    assert 'status="500",layer="refused"' not in metrics
    assert _resident_kb(server.pid) - before < GROWTH
    for word in ("Traceback", "request failed", "call failed", "Exception"):
        assert word not in server.output()
    assert statuses[0] < REQUESTS // 3, statuses
    assert statuses[200] > REQUESTS // 20, statuses
    assert statuses[400] > REQUESTS // 20, statuses
