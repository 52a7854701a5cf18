from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from cachemw.workers.listening import Address, addresses, bind, reserve


@contextmanager
def reserved(host: str = "127.0.0.1") -> Iterator[list[socket.socket]]:
    with ExitStack() as opened:
        yield [opened.enter_context(one) for one in reserve(addresses(host, 0))]


def of(sockets: list[socket.socket]) -> list[Address]:
    return [Address(int(one.family), one.getsockname()) for one in sockets]


def test_all_addresses_of_a_name_have_one_port() -> None:
    with reserved("localhost") as sockets:
        assert len({one.getsockname()[1] for one in sockets}) == 1
        assert sockets[0].getsockname()[1] > 0


def test_a_reserved_port_takes_no_connections_and_several_may_listen_on_it() -> None:
    with reserved() as sockets, ExitStack() as opened:
        [address] = of(sockets)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address.where)
        workers = [opened.enter_context(bind([address])[0]) for _ in range(2)]
        for worker in workers:
            worker.listen()
            worker.setblocking(False)
        # Enough for each to be meant at least once: 1 in 2**63 that one of them is not.
        for _ in range(64):
            opened.enter_context(socket.create_connection(address.where))
        for worker in workers:
            worker.accept()[0].close()


@pytest.mark.parametrize("shared", [False, True])
def test_a_port_in_use(shared: bool) -> None:
    with (
        socket.create_server(("127.0.0.1", 0), reuse_port=shared) as taken,
        pytest.raises(OSError, match="in use"),
    ):
        reserve(addresses("127.0.0.1", taken.getsockname()[1]))
