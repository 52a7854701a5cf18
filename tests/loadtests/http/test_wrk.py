from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from loadtests.http import wrk
from loadtests.http.servers import cores
from loadtests.http.shots import Incorrect
from loadtests.http.wording import task
from loadtests.http.wrk import NUMBER, TASK, Load, NoReply

_OUTPUT = """Running 1s test @ http://127.0.0.1:1/v1/chat/completions
  Latency   110.00us  10.00us
RESULT {{"requests": {requests}, "microseconds": 2000000, "p50_us": 110.0, "p99_us": 900.0, \
"failed": {failed}}}
"""


def test_a_result_is_read() -> None:
    assert wrk.parse(_OUTPUT.format(requests=4000, failed=0)) == Load(4000, 2000.0, 0.11, 0.9)


def test_failed_requests_are_no_result() -> None:
    with pytest.raises(Incorrect, match="3 of 4000"):
        wrk.parse(_OUTPUT.format(requests=4000, failed=3))


def test_no_requests_are_no_result() -> None:
    with pytest.raises(NoReply):
        wrk.parse(_OUTPUT.format(requests=0, failed=0))


def test_output_without_a_result_is_shown() -> None:
    with pytest.raises(RuntimeError, match="unable to connect"):
        wrk.parse("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_the_script_holds_the_body_as_it_is(tmp_path: Path) -> None:
    body = b'{"text":"a \\"quoted\\" word, 100%"}'
    wrk.write_script(tmp_path / "wrk.lua", body)
    line = (tmp_path / "wrk.lua").read_text().splitlines()[2]
    assert json.loads(line.removeprefix("wrk.body = ")) == body.decode()


def test_the_script_sends_the_headers(tmp_path: Path) -> None:
    wrk.write_script(tmp_path / "wrk.lua", b"{}", {"x-mode": "exact"})
    assert 'wrk.headers["x-mode"] = "exact"' in (tmp_path / "wrk.lua").read_text()


@asynccontextmanager
async def _noting(seen: list[bytes]) -> AsyncIterator[int]:
    """Serve whatever is asked, and note the bodies; yields the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split()[0])
                seen.append(await reader.readexactly(length))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
async def test_no_two_numbered_requests_are_the_same(tmp_path: Path) -> None:
    seen: list[bytes] = []
    async with _noting(seen) as port:
        wrk.write_script(tmp_path / "wrk.lua", f'{{"text": "number {NUMBER}!"}}'.encode())
        load = await wrk.wrk(port, tmp_path / "wrk.lua", 2, 1, cores().all)
    assert load.requests > 1
    assert len(set(seen)) == len(seen) >= load.requests
    assert seen[0].startswith(b'{"text": "number ')


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
async def test_tasks_come_in_their_order(tmp_path: Path) -> None:
    seen: list[bytes] = []
    async with _noting(seen) as port:
        wrk.write_script(tmp_path / "wrk.lua", f'{{"text": "{TASK}, 100%"}}'.encode())
        await wrk.wrk(port, tmp_path / "wrk.lua", 1, 1, cores().all)
    # wrk asks for one request more than it sends, to see whether they differ.
    first = seen[:100]
    assert {f'{{"text": "{task(number)}, 100%"}}'.encode() for number in range(102)} > set(first)
    assert len(set(first)) == len(first) == 100
