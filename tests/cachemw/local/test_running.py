from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cachemw.errors import UpstreamUnavailable
from cachemw.local.running import RunningModel


async def _hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def test_it_is_ready_while_its_socket_takes_connections(tmp_path: Path) -> None:
    path = tmp_path / "model.sock"
    model = RunningModel("lab", path)
    await model.start()
    waiting = asyncio.create_task(model.wait_ready(30.0))
    async with await asyncio.start_unix_server(_hang_up, path):
        await waiting
    with pytest.raises(UpstreamUnavailable, match="lab"):
        await model.wait_ready(0.1)
    await model.aclose()


async def test_a_socket_left_behind_by_a_killed_process_is_not_ready(tmp_path: Path) -> None:
    path = tmp_path / "model.sock"
    server = await asyncio.start_unix_server(_hang_up, path)
    server.close()
    assert path.exists()
    with pytest.raises(UpstreamUnavailable):
        await RunningModel("lab", path).wait_ready(0.1)
