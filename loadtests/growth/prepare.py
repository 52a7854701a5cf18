"""Stores of a given size, kept from one run to the next: filling and indexing take their time."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import redis

from cachemw.checkpoint.job import CheckpointJob
from cachemw.index.partitions import IndexSettings
from cachemw.stores.settings import StoreSettings
from loadtests.growth.corpus import Corpus
from loadtests.growth.fill import Filled, fill
from loadtests.http.redis import redis_server, url
from loadtests.http.servers import Server, python
from loadtests.http.subject import redis_section, sqlite_section

MAX_BYTES = 64 << 30
_NAMESPACE = "growth"


@dataclass(frozen=True, slots=True)
class Case:
    """One store that is measured."""

    kind: str
    shape: str
    entries: int

    @property
    def name(self) -> str:
        """Its folder's name."""
        return f"{self.kind}-{self.shape}-{self.entries}"


@dataclass(frozen=True)
class Place:
    """Where a case lies. `redis` is the running server of its kind, None for SQLite."""

    case: Case
    folder: Path
    redis: Server | None

    @property
    def cache_dir(self) -> Path:
        """The service's cache folder, with the models and the snapshot of the index."""
        return self.folder / "cache"

    def section(self) -> dict[str, Any]:
        """Return the configuration of the store."""
        if self.redis is not None:
            return redis_section(self.redis, _NAMESPACE) | {"max_bytes": MAX_BYTES}
        return sqlite_section(self._file) | {"max_bytes": MAX_BYTES}

    def settings(self) -> StoreSettings:
        """Return the settings of the store, with time enough for filling it."""
        address = None if self.redis is None else url(self.redis)
        return StoreSettings(
            kind=self.case.kind,
            path=self._file,
            max_bytes=MAX_BYTES,
            timeout_s=5.0,
            write_timeout_s=60.0,
            origin="growth",
            url=address,
            namespace=_NAMESPACE,
        )

    def stored_bytes(self) -> int:
        """Return what the store takes: its files, or Redis's memory."""
        if self.redis is not None:
            with _client(self.redis) as client:
                return int(client.info("memory")["used_memory"])
        return sum(file.stat().st_size for file in self.folder.glob("answers.sqlite3*"))

    @property
    def _file(self) -> Path:
        return self.folder / "answers.sqlite3"


@contextmanager
def place(case: Case, root: Path, models: Path, on: frozenset[int]) -> Iterator[Place]:
    """Yield where a case lies; its Redis, with what was kept, runs as long."""
    folder = root / case.name
    (folder / "cache").mkdir(parents=True, exist_ok=True)
    for model in models.iterdir():
        link = folder / "cache" / model.name
        if not link.exists() and model.is_dir() and model.name != "index":
            link.symlink_to(model)
    if case.kind != "redis":
        yield Place(case, folder, None)
        return
    with redis_server(folder, on) as server:
        yield Place(case, folder, server)


def prepare(where: Place, corpus: Corpus, index: IndexSettings) -> Filled:
    """Fill the store where that is not done yet, and have a snapshot of its index written."""
    done = where.folder / "filled.json"
    if not done.exists():
        filled = asyncio.run(_fill(where, corpus))
        if where.redis is not None:
            with _client(where.redis) as client:
                client.save()
        done.write_text(json.dumps(asdict(filled)), "utf-8")
    # Also where there is one: another version may not be able to read it.
    _snapshot(where, corpus, index)
    return Filled(**json.loads(done.read_text("utf-8")))


async def _fill(where: Place, corpus: Corpus) -> Filled:
    def said(number: int) -> None:
        if number % 25_600 == 0:
            print(f"... {where.case.name}: {number}", file=sys.stderr, flush=True)

    return await fill(where.settings(), corpus, where.case.entries, where.case.shape, said)


def _snapshot(where: Place, corpus: Corpus, index: IndexSettings) -> None:
    """Run the process that writes snapshots, once."""
    print(f"... {where.case.name}: snapshot", file=sys.stderr, flush=True)
    dimension = corpus.vectors.shape[1]
    job = CheckpointJob(
        where.cache_dir / "index", corpus.fingerprint, dimension, index, where.settings()
    )
    command = python("-m", "cachemw.checkpoint.worker")
    subprocess.run(command, input=job.to_json(), check=True)


def _client(server: Server) -> redis.Redis:
    return redis.Redis(host="127.0.0.1", port=server.port, socket_timeout=600)
