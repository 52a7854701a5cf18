"""The embedding time alone: the same embedder and batcher in a process of their own.

`python -m loadtests.http.embedding --cache-dir DIR` reads lines of JSON (lists of texts) and writes
lines of JSON (milliseconds per text).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import uvloop

from cachemw.embed.batcher import MicroBatcher
from cachemw.embed.load import load_embedder
from cachemw.embed.settings import EmbedderSettings
from loadtests.http.servers import pinned, python


@dataclass(frozen=True, slots=True)
class EmbedderProcess:
    """A running process; `milliseconds` blocks until it has embedded everything."""

    requests: IO[str]
    replies: IO[str]

    def milliseconds(self, texts: Sequence[str]) -> list[float]:
        """Embed the texts one after another and return the time of each."""
        self.requests.write(json.dumps(texts) + "\n")
        self.requests.flush()
        times: list[float] = json.loads(self.replies.readline())
        return times


@contextmanager
def embedder_process(cache_dir: Path, on: frozenset[int]) -> Iterator[EmbedderProcess]:
    """Run the process on the given cores; it is ready when this returns."""
    command = python("-m", "loadtests.http.embedding", "--cache-dir", str(cache_dir))
    process = subprocess.Popen(
        pinned(command, on),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    running = EmbedderProcess(process.stdin, process.stdout)
    try:
        running.milliseconds(["the first one loads the model"])
        yield running
    finally:
        process.stdin.close()
        process.kill()
        process.wait()
        process.stdout.close()


async def serve(cache_dir: Path) -> None:
    """Answer lines until there are no more."""
    embedder = load_embedder(EmbedderSettings(), cache_dir)
    batcher = MicroBatcher(embedder, timeout_s=10, recent_bytes=0)
    await batcher.start()
    for line in sys.stdin:
        times = []
        for text in json.loads(line):
            started = time.perf_counter()
            await batcher.embed(text)
            times.append(1e3 * (time.perf_counter() - started))
        print(json.dumps(times), flush=True)
    await batcher.aclose()


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache-dir", type=Path, required=True)
    chosen = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(chosen.cache_dir))


if __name__ == "__main__":
    main()
