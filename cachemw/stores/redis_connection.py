"""A connection to Redis: how it is made from a URL, and one exchange of commands and replies.

redis-py's connections are used directly, without its client: the client repeats failed commands and
takes a time limit for each step, where a lookup has one limit for waiting, connecting and asking
together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from hiredis import pack_command
from redis.asyncio.connection import Connection as TcpConnection
from redis.asyncio.connection import parse_url
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from cachemw.errors import ConfigError

#: A command as Redis takes it: its name and its arguments.
Words = Sequence[bytes | str | int | float]

#: Host and port.
Address = tuple[str, int]


class Connection(Protocol):
    """What is used of `redis.asyncio.connection.AbstractConnection`."""

    @property
    def is_connected(self) -> bool:
        """Whether there is a socket; the other end may have closed it."""

    async def connect(self) -> None:
        """Connect, authenticate and select the database."""

    async def can_read(self) -> bool:
        """Whether anything has come in, the end of the stream included."""

    async def disconnect(self, nowait: bool = False) -> None:
        """Close the socket."""

    async def send_packed_command(self, command: list[bytes], check_health: bool = True) -> None:
        """Write commands that are in Redis' protocol already."""

    async def read_response(self) -> Any:
        """Return the next reply; raises `ResponseError` where it is an error."""


def connector(url: str | None) -> tuple[Address, Callable[[Address | None], Connection]]:
    """Return the address in `url`, and what makes connections to it or to another address.

    Raises `ConfigError` for what is no URL of Redis.
    """
    if url is None:
        msg = "store.url (or store.url_env) is needed where store.kind is redis"
        raise ConfigError(msg)
    try:
        # Untyped in redis-py.
        options: dict[str, Any] = dict(parse_url(url))
        kind = options.pop("connection_class", TcpConnection)
        options |= {
            "protocol": 2,
            # One limit for the whole operation instead.
            "socket_timeout": None,
            "socket_connect_timeout": None,
            "driver_info": None,
            # What a URL may ask for besides, and would break: text for bytes, and further tries.
            "decode_responses": False,
            "retry_on_timeout": False,
            "retry_on_error": [],
        }

        def connect(address: Address | None) -> Connection:
            where = {} if address is None else {"host": address[0], "port": address[1]}
            return cast("Connection", kind(**options | where))

        connect(None)
    except (ValueError, TypeError, RedisError):
        # Not its text: it can quote the URL, and with it the password.
        msg = "store.url must be redis://[[user]:password@]host[:port][/db], rediss:// or unix://"
        raise ConfigError(msg) from None
    return (options.get("host", "localhost"), options.get("port", 6379)), connect


async def exchange(connection: Connection, commands: Sequence[Words]) -> list[Any]:
    """Send the commands in one go and return the replies; an error reply is a `ResponseError`.

    Connects where necessary. Raises `RedisError` and `OSError`, and then, as when cancelled, closes
    the connection: a late reply can never be taken for the reply to another command.
    """
    try:
        if not connection.is_connected:
            await connection.connect()
        await _send(connection, [_packed(words) for words in commands])
        return [await _reply(connection) for _ in commands]
    except BaseException:
        await connection.disconnect(nowait=True)
        raise


def _packed(words: Words) -> bytes:
    # redis-py's own takes eight times as long. The stub means a tuple of any length.
    packed: bytes = pack_command(tuple(words))  # type: ignore[arg-type]
    return packed


async def _send(connection: Connection, packed: list[bytes]) -> None:
    try:
        await connection.send_packed_command(packed, check_health=False)
    except RuntimeError as error:
        # How uvloop refuses to write to a socket that was reset while nobody used it.
        raise LostConnection(*error.args) from None


async def _reply(connection: Connection) -> Any:
    try:
        return await connection.read_response()
    except ReadOnlyError:
        # The address leads to a replica since a failover: connect anew.
        raise
    except ResponseError as error:
        return error
