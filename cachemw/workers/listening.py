"""The sockets that all workers accept from.

One shared queue rather than one a worker (SO_REUSEPORT): what waits in it is not lost with a worker
that dies, a worker that hangs keeps nobody waiting, and a port in use is found out. Its known
drawback, uneven shares, was measured with wrk on two workers: 63 and 37 % of the requests at the
worst of 8, 32 and 128 connections, no worse than the kernel's hash does for so few.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack


def bind(host: str, port: int) -> list[socket.socket]:
    """Return sockets bound to all addresses of `host`, all on one port. Raises OSError.

    They do not listen before a worker does: until then clients are refused, as before any start.
    """
    flags = socket.AI_PASSIVE
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=flags)
    with ExitStack() as opened:
        sockets: list[socket.socket] = []
        for family, kind, protocol, _, address in dict.fromkeys(found):
            one = opened.enter_context(socket.socket(family, kind, protocol))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # Of port 0 the first address's choice holds for the others.
            chosen = sockets[0].getsockname()[1] if sockets else port
            one.bind((address[0], chosen, *address[2:]))
            sockets.append(one)
        opened.pop_all()
    return sockets
