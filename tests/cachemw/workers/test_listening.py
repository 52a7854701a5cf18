from __future__ import annotations

import socket

import pytest

from cachemw.workers.listening import bind


def test_all_addresses_of_a_name_have_one_port() -> None:
    sockets = bind("localhost", 0)
    try:
        assert len({one.getsockname()[1] for one in sockets}) == 1
        assert sockets[0].getsockname()[1] > 0
    finally:
        for one in sockets:
            one.close()


def test_nobody_is_let_in_before_a_worker_listens() -> None:
    [one] = bind("127.0.0.1", 0)
    with one:
        address = one.getsockname()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        one.listen()
        socket.create_connection(address).close()


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        bind("127.0.0.1", taken.getsockname()[1])
