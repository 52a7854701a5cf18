"""What every measurement needs: the fake upstream, cachemw in front of it, an embedder beside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from loadtests.http.embedding import EmbedderProcess, embedder_process
from loadtests.http.servers import Cores, Server, free_port, python, serving
from loadtests.http.shots import TOKENS


@dataclass(frozen=True, slots=True)
class Rig:
    """What runs, and where more can be started.

    `cache_dir` holds the prepared embedding model, `scratch` whatever a measurement writes.
    """

    cores: Cores
    cache_dir: Path
    scratch: Path
    upstream: Server
    embedder: EmbedderProcess

    @contextmanager
    def cachemw(self, name: str, on: frozenset[int]) -> Iterator[Server]:
        """Run cachemw with an empty store of its own.

        Its threshold is 0, so that any two questions of a partition are near enough; a request that
        must miss asks for 1 by header.
        """
        port = free_port()
        config = {
            "mode": "full",
            "cache_dir": str(self.cache_dir),
            "server": {"port": port},
            "upstreams": [
                {"name": "fake", "base_url": f"http://127.0.0.1:{self.upstream.port}/v1"}
            ],
            "store": {"path": str(self.scratch / f"{name}.sqlite3")},
            "semantic": {"threshold": 0.0},
            "logs": {"level": "warning"},
        }
        path = self.scratch / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config), "utf-8")
        command = python("-m", "cachemw", "serve", "--config", str(path))
        with serving(command, port, on, ready="/readyz") as server:
            yield server


@contextmanager
def rig(cores: Cores, cache_dir: Path, scratch: Path) -> Iterator[Rig]:
    """Start the upstream and the embedder; the latter prepares the model where it is not yet."""
    port = free_port()
    command = python("-m", "loadtests.fake_upstream", "--port", str(port), "--tokens", str(TOKENS))
    with (
        embedder_process(cache_dir, cores.all) as embedder,
        serving(command, port, cores.load) as upstream,
    ):
        yield Rig(cores, cache_dir, scratch, upstream, embedder)
