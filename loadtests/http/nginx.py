"""A second floor, where nginx is installed: a static reply out of C."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loadtests.http.servers import Server, free_port, serving

_CONF = """daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  keepalive_requests 1000000000;
  server {{
    listen 127.0.0.1:{port};
    location / {{ default_type application/json; {headers} return 200 '{body}'; }}
  }}
}}
"""
_OWN = frozenset({b"date", b"content-type", b"content-length", b"server", b"connection"})


def conf(folder: Path, port: int, headers: list[tuple[bytes, bytes]], body: bytes) -> str:
    """Return a configuration that replies `body` with `headers`; neither has quotes or dollars."""
    added = " ".join(
        f"add_header {name.decode()} '{value.decode()}';"
        for name, value in headers
        if name not in _OWN
    )
    return _CONF.format(folder=folder, port=port, headers=added, body=body.decode())


@contextmanager
def nginx(
    scratch: Path, headers: list[tuple[bytes, bytes]], body: bytes, on: frozenset[int]
) -> Iterator[Server | None]:
    """Run nginx; None where it is not installed."""
    program = shutil.which("nginx")
    if program is None:
        yield None
        return
    folder = scratch / "nginx"
    folder.mkdir()
    port = free_port()
    path = folder / "nginx.conf"
    path.write_text(conf(folder, port, headers, body), "utf-8")
    command = [program, "-p", str(folder), "-e", "stderr", "-c", str(path)]
    with serving(command, port, on) as server:
        yield server
