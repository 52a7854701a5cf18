"""The transport against servers that say exactly what a test has them say."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from cachemw.upstreams.transport import OriginTransport
from tests.cachemw.upstreams.conftest import Scripted

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


@pytest.fixture
async def transport() -> AsyncIterator[OriginTransport]:
    transport = OriginTransport(connections=2, connect_seconds=2.0)
    yield transport
    await transport.aclose()


async def call(
    transport: OriginTransport, url: str, method: str = "POST", **more: object
) -> httpx.Response:
    """Make a call and read its body."""
    request = httpx.Request(method, url + "/x?y=1", **more)  # type: ignore[arg-type]
    response = await transport.handle_async_request(request)
    response.request = request
    await response.aread()
    return response


async def request_head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def says(*pieces: bytes, close: bool = False, pause: bool = False):  # type: ignore[no-untyped-def]
    """Answer every request with `pieces`; `close` ends the connection after the first."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await request_head(reader)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                if pause:
                    await asyncio.sleep(0)
            if close:
                return

    return talk


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK, b"ok"),
        (CHUNKED, b"abcde"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + CHUNKED, b"abcde"),
    ],
)
@pytest.mark.parametrize("torn", [False, True])
async def test_bodies_in_every_framing_are_read_and_the_connection_is_used_again(
    scripted: Scripted, transport: OriginTransport, answer: bytes, body: bytes, *, torn: bool
) -> None:
    pieces = [answer[i : i + 1] for i in range(len(answer))] if torn else [answer]
    async with scripted(says(*pieces, pause=torn)) as script:
        for _ in range(3):
            response = await call(transport, script.url, "GET")
            assert response.content == body
            assert "link" not in response.headers
        assert script.connections == 1


async def test_a_body_that_ends_with_the_connection(
    scripted: Scripted, transport: OriginTransport
) -> None:
    async with scripted(says(b"HTTP/1.1 200 OK\r\n\r\nall of it", close=True)) as script:
        assert (await call(transport, script.url, "GET")).content == b"all of it"
        assert (await call(transport, script.url, "GET")).content == b"all of it"
        assert script.connections == 2


async def test_connection_close_is_heeded(scripted: Scripted, transport: OriginTransport) -> None:
    answer = OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    async with scripted(says(answer, close=True)) as script:
        for _ in range(2):
            assert (await call(transport, script.url, "GET")).content == b"ok"
        assert script.connections == 2


async def test_head_has_no_body_whatever_its_length_says(
    scripted: Scripted, transport: OriginTransport
) -> None:
    async with scripted(says(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n")) as script:
        response = await call(transport, script.url, "HEAD")
        assert (response.content, response.headers["content-length"]) == (b"", "99")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"SMTP ready\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_cut_or_is_not_http_is_an_error_and_the_next_call_works(
    scripted: Scripted, transport: OriginTransport, answer: bytes
) -> None:
    async with scripted(says(answer, close=True)) as script:
        with pytest.raises(httpx.RemoteProtocolError):
            await call(transport, script.url, "GET")
    async with scripted(says(OK)) as script:
        for _ in range(3):  # more often than there are places
            assert (await call(transport, script.url, "GET")).content == b"ok"


async def test_headers_without_an_end_are_refused(
    scripted: Scripted, transport: OriginTransport
) -> None:
    endless = b"HTTP/1.1 200 OK\r\n" + b"".join(
        b"a%d: %s\r\n" % (i, b"x" * 999) for i in range(400)
    )
    async with scripted(says(endless, close=True)) as script:
        with pytest.raises(httpx.RemoteProtocolError):
            await call(transport, script.url, "GET")


async def test_an_idle_connection_that_the_server_closed_is_not_used(
    scripted: Scripted, transport: OriginTransport
) -> None:
    async with scripted(says(OK, close=True)) as script:
        for _ in range(3):
            assert (await call(transport, script.url, "GET")).content == b"ok"
            await asyncio.sleep(0.02)  # for its end to arrive
        assert script.connections == 3


async def test_a_server_that_closes_as_we_ask_is_asked_once_more_if_all_is_at_hand(
    scripted: Scripted, transport: OriginTransport
) -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_head(reader)
        writer.write(OK)
        await request_head(reader)  # and closes, without a word

    async def pieces() -> AsyncIterator[bytes]:
        yield b"hello"

    async with scripted(once) as script:
        for calls in (1, 2, 3):
            assert (await call(transport, script.url, "GET")).content == b"ok"
            assert script.connections == calls
        with pytest.raises(httpx.TransportError):
            await call(transport, script.url, content=pieces())


async def test_a_new_connection_that_fails_is_not_tried_again(
    scripted: Scripted, transport: OriginTransport
) -> None:
    async with scripted(says(b"", close=True)) as script:
        with pytest.raises(httpx.RemoteProtocolError):
            await call(transport, script.url, "GET")
        assert script.connections == 1


async def test_a_whole_body_and_a_streamed_one_arrive(
    scripted: Scripted, transport: OriginTransport
) -> None:
    got: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await request_head(reader)
            got.append(head)
            if b"chunked" in head.lower():
                got.append(await reader.readuntil(b"0\r\n\r\n"))
            else:
                got.append(await reader.readexactly(5))
            writer.write(OK)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"hel"
        yield b"lo"

    async with scripted(talk) as script:
        await call(transport, script.url, content=b"hello")
        await call(transport, script.url, content=pieces())
    assert got[0].startswith(b"POST /x?y=1 HTTP/1.1\r\n")
    assert got[1] == b"hello"
    assert got[3] == b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"


async def test_a_server_that_answers_early_is_not_sent_the_rest(
    scripted: Scripted, transport: OriginTransport
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_head(reader)
        writer.write(OK.replace(b"200 OK", b"413 Too Large"))
        await reader.read()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1000)
            await asyncio.sleep(0)

    async with scripted(talk) as script:
        response = await asyncio.wait_for(call(transport, script.url, content=endless()), 10)
        assert response.status_code == 413


async def test_a_reply_may_begin_before_the_body_has_ended(
    scripted: Scripted, transport: OriginTransport
) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 600000\r\n\r\n")
        for _ in range(6):
            writer.write(await reader.readexactly(100_000))
            await writer.drain()

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(6):
            yield bytes([number]) * 100_000
            await asyncio.sleep(0)

    async with scripted(echo) as script:
        headers = {"content-length": "600000"}
        response = await call(transport, script.url, headers=headers, content=pieces())
        assert response.content == b"".join([bytes([n]) * 100_000 for n in range(6)])


async def test_a_body_that_breaks_off_ends_the_call_with_its_own_error(
    scripted: Scripted, transport: OriginTransport
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise KeyError("the client hung up")

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with scripted(silent) as script:
        with pytest.raises(KeyError):
            await asyncio.wait_for(call(transport, script.url, content=broken()), 5)


async def test_a_slow_reader_holds_the_server_back(
    scripted: Scripted, transport: OriginTransport
) -> None:
    sent = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await request_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(400):
            writer.write(bytes(100_000))
            await writer.drain()
            sent += 100_000

    async with scripted(talk) as script:
        request = httpx.Request("GET", script.url)
        response = await transport.handle_async_request(request)
        response.request = request
        for _ in range(50):
            await asyncio.sleep(0.005)
        assert sent < 30_000_000
        assert len(await response.aread()) == 40_000_000


async def test_the_pool_is_bounded_and_a_place_comes_back_whatever_happens(
    scripted: Scripted,
) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    transport = OriginTransport(connections=1, connect_seconds=0.1)
    async with scripted(silent) as script:
        for _ in range(3):
            waiting = asyncio.create_task(call(transport, script.url, "GET"))
            await asyncio.sleep(0.02)
            with pytest.raises(httpx.PoolTimeout):
                await call(transport, script.url, "GET")
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
    with pytest.raises(httpx.ConnectError):
        await call(transport, script.url, "GET")
    async with scripted(says(OK)) as script:
        assert (await call(transport, script.url, "GET")).content == b"ok"
    await transport.aclose()


async def test_a_body_given_up_in_the_middle_closes_its_connection(
    scripted: Scripted, transport: OriginTransport
) -> None:
    closed = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nbegin")
        await reader.read()
        closed.set()

    async with scripted(talk) as script:
        response = await transport.handle_async_request(httpx.Request("GET", script.url))
        async for chunk in response.stream:  # type: ignore[union-attr]
            assert chunk == b"begin"
            break
        await response.stream.aclose()  # type: ignore[union-attr]
        await asyncio.wait_for(closed.wait(), 5)


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\rb"])
async def test_no_header_can_be_smuggled_in(
    scripted: Scripted, transport: OriginTransport, value: str
) -> None:
    async with scripted(says(OK)) as script:
        with pytest.raises(httpx.LocalProtocolError):
            await call(transport, script.url, headers={"x-a": value})
        assert script.connections == 0


async def test_a_unix_socket(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_head(reader)
        writer.write(OK)
        writer.close()

    path = str(tmp_path / "s")
    server = await asyncio.start_unix_server(serve, path)
    transport = OriginTransport(connections=1, connect_seconds=1.0, uds=path)
    assert (await call(transport, "http://local", "GET")).content == b"ok"
    await transport.aclose()
    server.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not on this machine")
    folder = tmp_path_factory.mktemp("tls")
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    return folder


async def test_tls_is_spoken_and_an_unknown_certificate_refused(
    scripted: Scripted, certificate: Path
) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    trusting = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
    async with scripted(says(OK), tls=server) as script:
        transport = OriginTransport(connections=1, connect_seconds=5.0, tls=lambda: trusting)
        for _ in range(2):
            assert (await call(transport, script.url, "GET")).content == b"ok"
        assert script.connections == 1
        await transport.aclose()
        careful = OriginTransport(connections=1, connect_seconds=5.0)
        with pytest.raises(httpx.ConnectError):
            await call(careful, script.url, "GET")
        await careful.aclose()
