from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from loadtests.http.bare import load, write_reply
from loadtests.http.client import Connection, connections, raw_request
from loadtests.http.servers import (
    children,
    cores,
    cpu_seconds,
    free_port,
    python,
    resident_mb,
    serving,
)

HEADERS = [(b"content-type", b"application/json"), (b"age", b"3"), (b"date", b"now")]
BODY = b'{"id":"x"}'


async def test_the_floor_replies_the_same_bytes(tmp_path: Path) -> None:
    write_reply(tmp_path / "reply.json", HEADERS, BODY)
    transport = httpx.ASGITransport(load(tmp_path / "reply.json"))
    async with httpx.AsyncClient(transport=transport, base_url="http://bare") as client:
        reply = await client.post("/v1/chat/completions", json={"model": "m"})
    assert reply.content == BODY
    assert reply.headers.raw == HEADERS[:2]


async def test_the_floor_reads_the_body(tmp_path: Path) -> None:
    write_reply(tmp_path / "reply.json", HEADERS, BODY)
    transport = httpx.ASGITransport(load(tmp_path / "reply.json"))
    async with httpx.AsyncClient(transport=transport, base_url="http://bare") as client:
        with pytest.raises(ValueError, match="unexpected"):
            await client.post("/v1/chat/completions", content=b"{x")


async def test_a_server_runs_until_the_end_of_the_block(tmp_path: Path) -> None:
    write_reply(tmp_path / "reply.json", HEADERS, BODY)
    port = free_port()
    reply = str(tmp_path / "reply.json")
    command = python("-m", "loadtests.http.bare", "--port", str(port), "--reply", reply)
    with serving(command, port, cores().server) as server:
        async with connections(port, 1) as (connection,):
            response = await connection.request(raw_request("/", b"{}"))
        assert response.body == BODY
        assert response.header(b"age") == b"3"
        assert resident_mb(server.pid) > 5
        assert children(server.pid) == []
        assert cpu_seconds(server.pid) > 0
        assert server.ready_s > 0
    with pytest.raises(ConnectionRefusedError):
        await Connection.open(port)


def test_a_server_that_ends_says_why() -> None:
    command = python("-c", "print('no luck'); exit(3)")
    with (
        pytest.raises(RuntimeError, match="exited with 3") as caught,
        serving(command, free_port(), cores().all),
    ):
        pass
    assert caught.value.__notes__ == ["no luck\n"]
