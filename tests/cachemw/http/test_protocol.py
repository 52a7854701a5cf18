import asyncio

from cachemw.http.protocol import JoinedWrites


class FakeTransport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return 7


async def test_writes_of_one_turn_go_out_together_and_at_once() -> None:
    transport = FakeTransport()
    joined = JoinedWrites(transport, asyncio.get_running_loop())
    joined.write(b"head")
    joined.write(b"body")
    assert transport.written == []
    await asyncio.sleep(0)
    assert transport.written == [b"headbody"]
    joined.write(b"more")
    await asyncio.sleep(0)
    assert transport.written == [b"headbody", b"more"]


async def test_closing_writes_what_waits_first() -> None:
    transport = FakeTransport()
    joined = JoinedWrites(transport, asyncio.get_running_loop())
    joined.write(b"last")
    joined.close()
    assert (transport.written, transport.closed) == ([b"last"], True)
    await asyncio.sleep(0)
    assert transport.written == [b"last"]


async def test_what_waits_for_a_client_that_has_left_is_dropped() -> None:
    transport = FakeTransport()
    joined = JoinedWrites(transport, asyncio.get_running_loop())
    joined.write(b"too late")
    transport.abort()
    joined.flush()
    assert transport.written == []


async def test_everything_else_is_the_transports() -> None:
    joined = JoinedWrites(FakeTransport(), asyncio.get_running_loop())
    assert joined.get_write_buffer_size() == 7
