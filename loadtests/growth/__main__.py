"""Measures what more entries cost: `python -m loadtests.growth [--sizes N ...] [--stores redis]`.

Stores of each size are filled once, through their own `put`, and kept under `--folder` with a
snapshot of their index: that takes a minute for 100 000 entries and most of an hour for 1 000 000,
after which a run takes a few minutes. All sizes run side by side and are measured in turn. Needs
the shared data (CACHEMW_SHARED_DATA); Redis needs redis-server. Exits with 1 if a reply was not the
right one; a bar that was missed is said in the report.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import uvloop

from cachemw.embed.load import load_embedder
from cachemw.embed.settings import EmbedderSettings
from cachemw.index.partitions import IndexSettings
from loadtests.growth import report
from loadtests.growth.corpus import BASE, SHAPES, Corpus, load
from loadtests.growth.fill import Filled
from loadtests.growth.measure import Measurement, Subject, require_vectors
from loadtests.growth.prepare import Case, Place, place, prepare
from loadtests.http.command import write_report
from loadtests.http.policy import everything_near
from loadtests.http.servers import Server, cores, free_port, python, resident_mb, serving
from loadtests.http.shots import TOKENS
from loadtests.http.subject import cachemw, sqlite_section, upstream_section
from loadtests.report import Section, load_average, machine, render

REPORT = Path(__file__).parents[1] / "reports" / "growth.md"
FOLDER = Path.home() / ".cache" / "cachemw-loadtests" / "growth"
_MAX_VECTORS = 2_000_000
_INDEX = IndexSettings(max_vectors=_MAX_VECTORS)
_RESTARTS = 2


class Bench:
    """Runs the cases of one store and shape side by side."""

    def __init__(self, options: argparse.Namespace, upstream: Server, scratch: Path) -> None:
        self._options = options
        self._upstream = upstream
        self._scratch = scratch
        self._models = options.folder / "models"
        self._models.mkdir(parents=True, exist_ok=True)
        embedder = load_embedder(EmbedderSettings(), self._models)
        self._corpus: Corpus = load(embedder, options.folder)
        embedder.close()
        with self._service(self._models, sqlite_section(scratch / "empty.sqlite3"), "empty") as one:
            self._empty_mb = resident_mb(one.pid)

    def prepare(self, kind: str, shape: str) -> None:
        """Only fill and index all sizes of one store and shape."""
        for case in self._cases(kind, shape):
            with place(case, self._options.folder, self._models, cores().all) as where:
                prepare(where, self._corpus, _INDEX)

    def section(self, kind: str, shape: str) -> Section:
        """Measure all sizes of one store and shape."""
        cases = self._cases(kind, shape)
        figures: dict[Case, report.Figures] = {}
        with ExitStack() as stack:
            subjects = []
            for case in cases:
                where = stack.enter_context(
                    place(case, self._options.folder, self._models, cores().all)
                )
                filled = prepare(where, self._corpus, _INDEX)
                subject, figures[case] = self._started(stack, where, filled)
                subjects.append(subject)
            measurement = Measurement(self._corpus, random.Random(1), self._options.block)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                times = runner.run(measurement.rounds(subjects, self._options.rounds))
        return report.section(kind, shape, cases, figures, times)

    def _cases(self, kind: str, shape: str) -> list[Case]:
        return [Case(kind, shape, entries) for entries in sorted(self._options.sizes)]

    def _started(
        self, stack: ExitStack, where: Place, filled: Filled
    ) -> tuple[Subject, report.Figures]:
        """Start a service, a few times; the last one goes on running."""
        case, stored = where.case, where.stored_bytes()
        print(f"... {case.name}: restart", file=sys.stderr, flush=True)
        ready = []
        for _ in range(_RESTARTS - 1):
            with self._service(where.cache_dir, where.section(), case.name) as server:
                ready.append(server.ready_s)
        running = self._service(where.cache_dir, where.section(), case.name)
        server = stack.enter_context(running)
        ready.append(server.ready_s)
        subject = Subject(case, server)
        require_vectors(subject)
        rss = resident_mb(server.pid) - self._empty_mb
        return subject, report.Figures(ready, rss, stored, filled.put_s)

    @contextmanager
    def _service(self, cache_dir: Path, store: dict[str, Any], name: str) -> Iterator[Server]:
        config = {
            "mode": "full",
            "cache_dir": str(cache_dir),
            "upstreams": [upstream_section(self._upstream)],
            "cache": {"memory_bytes": 1},
            "store": store,
            "logs": {"level": "warning"},
            **everything_near(self._scratch, max_vectors=_MAX_VECTORS, snapshot_seconds=0),
        }
        with cachemw(config, self._scratch, name, cores().all) as server:
            yield server


def run(options: argparse.Namespace) -> str:
    """Measure everything, and return the report; nothing where it is only prepared."""
    began = load_average()
    port = free_port()
    fake = python("-m", "loadtests.fake_upstream", "--port", str(port), "--tokens", str(TOKENS))
    with (
        tempfile.TemporaryDirectory() as temporary,
        serving(fake, port, cores().all) as upstream,
    ):
        bench = Bench(options, upstream, Path(temporary))
        all_cases = [(kind, shape) for kind in options.stores for shape in options.shapes]
        if options.prepare:
            for kind, shape in all_cases:
                bench.prepare(kind, shape)
            return ""
        sections = [bench.section(kind, shape) for kind, shape in all_cases]
    sizes = " ".join(map(str, options.sizes))
    conditions = (
        f"{options.date}, {machine(('cachemw', 'hnswlib', 'redis'))}. "
        f"Command: `python -m loadtests.growth --sizes {sizes}`. Load average of the last minute "
        f"{began} at the beginning, {load_average()} at the end. Questions: the first {BASE} "
        "distinct ones of question-pairs.jsonl.gz with their own vectors; past them the same ones "
        "with a number, and vectors at a cosine of 0.9 to the question's own."
    )
    return render("Growth", conditions, sections)


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(prog="python -m loadtests.growth", description=__doc__)
    sizes = [1000, 10_000, 100_000, 1_000_000]
    made.add_argument("--sizes", nargs="+", type=int, default=sizes)
    made.add_argument("--stores", nargs="+", choices=("sqlite", "redis"), default=["sqlite"])
    made.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    made.add_argument("--prepare", action="store_true", help="only fill and index the stores")
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--block", type=int, default=100, help="requests of a kind in a round")
    made.add_argument("--folder", type=Path, default=FOLDER, help="where filled stores are kept")
    made.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    made.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    return made


def main() -> int:
    """Measure, print the report and write it."""
    options = parser().parse_args()
    return write_report(run, options, "incorrect")


if __name__ == "__main__":
    sys.exit(main())
