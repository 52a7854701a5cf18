from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from loadtests.http.client import connections, raw_request
from loadtests.http.nginx import nginx, nginx_proxy, static
from loadtests.http.servers import cores

HEADERS = [(b"content-type", b"application/json"), (b"age", b"3"), (b"date", b"now")]
BODY = b'{"id":"x"}'


def test_the_static_reply_has_the_same_headers() -> None:
    text = static(HEADERS, BODY)
    assert "add_header age '3';" in text
    assert 'return 200 \'{"id":"x"}\';' in text
    assert "date" not in text


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
async def test_the_proxy_says_what_the_server_behind_it_says(tmp_path: Path) -> None:
    with ExitStack() as stack:
        behind = stack.enter_context(nginx(tmp_path, HEADERS, BODY, cores().all))
        assert behind is not None
        proxy = stack.enter_context(nginx_proxy(tmp_path, behind, cores().all))
        assert proxy is not None
        async with connections(proxy.port, 1) as (connection,):
            reply = await connection.request(raw_request("/any", b"{}"))
    assert (reply.status, reply.body, reply.header(b"age")) == (200, BODY, b"3")


def test_without_nginx_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with nginx(tmp_path, HEADERS, BODY, cores().all) as server:
        assert server is None
