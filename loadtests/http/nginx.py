"""nginx, where it is installed: a static reply out of C, or a proxy in front of the upstream."""

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
  {upstreams}
  server {{
    listen 127.0.0.1:{port};
    location / {{ {location} }}
  }}
}}
"""
# Unbuffered, as one sets it up in front of streams.
_PROXY = (
    "proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ''; "
    "proxy_buffering off;"
)
_OWN = frozenset({b"date", b"content-type", b"content-length", b"server", b"connection"})


def static(headers: list[tuple[bytes, bytes]], body: bytes) -> str:
    """Return a location that replies `body` with `headers`; neither has quotes or dollars."""
    added = " ".join(
        f"add_header {name.decode()} '{value.decode()}';"
        for name, value in headers
        if name not in _OWN
    )
    return f"default_type application/json; {added} return 200 '{body.decode()}';"


def conf(folder: Path, port: int, location: str, upstreams: str = "") -> str:
    """Return a configuration with one location."""
    return _CONF.format(folder=folder, port=port, location=location, upstreams=upstreams)


@contextmanager
def nginx(
    scratch: Path, headers: list[tuple[bytes, bytes]], body: bytes, on: frozenset[int]
) -> Iterator[Server | None]:
    """Run nginx with a static reply; None where it is not installed."""
    port = free_port()
    with _running(scratch / "nginx", port, static(headers, body), "", on) as server:
        yield server


@contextmanager
def nginx_proxy(scratch: Path, to: Server, on: frozenset[int]) -> Iterator[Server | None]:
    """Run nginx in front of another server, keeping its connections; None where not installed."""
    kept = f"upstream behind {{ server 127.0.0.1:{to.port}; keepalive 256; }}"
    with _running(scratch / "nginx-proxy", free_port(), _PROXY, kept, on) as server:
        yield server


@contextmanager
def _running(
    folder: Path, port: int, location: str, upstreams: str, on: frozenset[int]
) -> Iterator[Server | None]:
    program = shutil.which("nginx")
    if program is None:
        yield None
        return
    folder.mkdir()
    path = folder / "nginx.conf"
    path.write_text(conf(folder, port, location, upstreams), "utf-8")
    command = [program, "-p", str(folder), "-e", "stderr", "-c", str(path)]
    with serving(command, port, on) as server:
        yield server
