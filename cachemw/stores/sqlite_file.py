"""The SQLite file: how it is created, brought up to date and opened.

Every process on the machine may open the file at any moment, also the moment in which another one
creates it. All of them find it complete, and none changes a file that is not cachemw's.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path

from cachemw.errors import ConfigError, StoreUnavailable
from cachemw.stores.sqlite_schema import APPLICATION_ID, SCHEMA_VERSION, pragma, upgrade

#: Beyond this the log is cut back after a checkpoint; a burst must not keep its size for ever.
_WAL_LIMIT = 64 << 20

#: Pages of log after which a commit makes a checkpoint itself: four times SQLite's default, which
#: is what `sqlite_checkpoint` works with.
_BACKSTOP_PAGES = 4000

#: Errors of opening that waiting does not cure.
_UNUSABLE = (
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
)
_WAY_OUT = (
    "Nothing in it was changed: move it away to start with an empty cache, or set another path."
)


def open_file(path: Path, *, open_timeout_s: float, busy_timeout_s: float) -> sqlite3.Connection:
    """Return a connection to the file at `path`, created if there is none or it is empty.

    It waits for other processes for `open_timeout_s` while opening, `busy_timeout_s` later on.
    Raises `ConfigError` for a path or file that cannot be used, `StoreUnavailable` otherwise.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _create(path)
        connection = _connect(path, open_timeout_s)
        try:
            if _is_empty(connection):
                _fill(path, open_timeout_s)
            _bring_up_to_date(connection)
            _check_schema(connection, path)
            connection.execute(f"PRAGMA busy_timeout = {round(busy_timeout_s * 1000)}")
        except BaseException:
            connection.close()
            raise
    except OSError as error:
        msg = f"store.path: cannot open {path}: {error.strerror}"
        raise ConfigError(msg) from error
    except sqlite3.Error as error:
        # The low byte: extended codes tell more than is asked here.
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNUSABLE:
            msg = f"store.path: cannot use {path} as a SQLite file ({error}). {_WAY_OUT}"
            raise ConfigError(msg) from error
        raise unavailable(error) from error
    return connection


def unavailable(error: sqlite3.Error) -> StoreUnavailable:
    """Return what the store raises for an error of SQLite's."""
    # SQLite's messages name tables and conditions, never values.
    failure = StoreUnavailable(f"sqlite: {error}")
    failure.__cause__ = error
    return failure


def _create(path: Path) -> None:
    """Create the file, readable by its owner only, with its schema; no harm if another does so.

    It is made under another name and linked into place. So nobody sees it half made, and no
    descriptor of the real file is closed here: that would drop the locks that every connection
    of this process holds on it (POSIX locks belong to the process; see SQLite's "How To Corrupt").
    """
    descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".new", dir=path.parent)
    os.close(descriptor)
    try:
        _fill(Path(name), 0.0)
        # Not rename: it would replace a file that another process has made meanwhile.
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()


def _fill(path: Path, busy_timeout_s: float) -> None:
    """Give the empty file at `path` its schema, unless another process is first.

    A process that dies in here leaves an empty database, which the next one fills.
    """
    with closing(_connect(path, busy_timeout_s)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        if not _is_empty(connection):
            return
        if pragma(connection, "journal_mode") != b"wal":
            # It cannot change within a transaction. This keeps the lock past the end of the first
            # one, until the connection closes.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN")
        upgrade(connection)
        connection.execute("COMMIT")


def _connect(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None)
    # There is no text in the schema. Damage can make a value look like text, and the error that
    # decoding it then raises would quote it.
    connection.text_factory = bytes
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_BACKSTOP_PAGES}")
    return connection


def _is_empty(connection: sqlite3.Connection) -> bool:
    """Return whether there is nothing to lose: no table, and no mark of a program."""
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
    marks = [pragma(connection, name) for name in ("application_id", "user_version")]
    return [tables, *marks] == [0, 0, 0]


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Upgrade a file of ours that an older cachemw made.

    In one transaction: a process that dies in it leaves the file as it was, and of several that
    open the file at once one upgrades it. An older cachemw that has the file open goes on to work,
    only that its changes are not in the log.
    """
    if _is_older(connection):
        connection.execute("BEGIN IMMEDIATE")
        if _is_older(connection):
            upgrade(connection)
        connection.execute("COMMIT")


def _is_older(connection: sqlite3.Connection) -> bool:
    version: int = pragma(connection, "user_version")
    return pragma(connection, "application_id") == APPLICATION_ID and 0 < version < SCHEMA_VERSION


def _check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `ConfigError` if the file is not ours or not of this version."""
    if pragma(connection, "application_id") != APPLICATION_ID:
        msg = f"store.path: {path} is not a store of cachemw. {_WAY_OUT}"
        raise ConfigError(msg)
    version = pragma(connection, "user_version")
    if version != SCHEMA_VERSION:
        msg = (
            f"store.path: {path} has schema version {version}, this cachemw needs "
            f"{SCHEMA_VERSION}. {_WAY_OUT}"
        )
        raise ConfigError(msg)
