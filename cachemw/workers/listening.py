"""One port for several workers: each listens on a socket of its own (SO_REUSEPORT).

The kernel spreads connections by a hash of their addresses. Accepting from one shared socket
spreads them by who comes first, and libuv takes all that waits: of wrk's 32 connections one of two
workers got all as soon as the other was late. What a socket of one's own costs: connections that
wait in the queue of a worker that dies are reset, those of one that hangs wait for its successor.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple


class Address(NamedTuple):
    """Where to listen: the family, and the address as `bind` takes it."""

    family: int
    where: tuple[Any, ...]


def addresses(host: str, port: int) -> list[Address]:
    """Return the addresses of a host name. Raises OSError."""
    flags = socket.AI_PASSIVE
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=flags)
    return list(dict.fromkeys(Address(int(family), where) for family, _, _, _, where in found))


def reserve(wanted: Sequence[Address]) -> list[socket.socket]:
    """Return sockets bound to all addresses, of port 0 all to the same one. Raises OSError.

    They do not listen, so they get no connections: they keep the port from others while no worker
    has it. Another service that has it, even one that would share it, is an error.
    """
    with ExitStack() as opened:
        sockets: list[socket.socket] = []
        for family, (host, port, *rest) in wanted:
            chosen = sockets[0].getsockname()[1] if sockets else port
            with _bound(Address(family, (host, chosen, *rest)), shared=False) as probe:
                chosen = probe.getsockname()[1]
            one = _bound(Address(family, (host, chosen, *rest)), shared=True)
            sockets.append(opened.enter_context(one))
        opened.pop_all()
    return sockets


def bind(to: Sequence[Address]) -> list[socket.socket]:
    """Return a worker's own sockets on addresses that are reserved. Raises OSError."""
    with ExitStack() as opened:
        sockets = [opened.enter_context(_bound(address, shared=True)) for address in to]
        opened.pop_all()
    return sockets


def _bound(address: Address, *, shared: bool) -> socket.socket:
    with ExitStack() as opened:
        one = opened.enter_context(socket.socket(address.family, socket.SOCK_STREAM))
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if address.family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address.where)
        opened.pop_all()
    return one
