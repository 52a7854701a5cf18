"""What every measurement needs: the fake upstream, cachemw in front of it, an embedder beside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtests.http.embedding import EmbedderProcess, embedder_process
from loadtests.http.policy import everything_near
from loadtests.http.servers import Cores, Server, free_port, python, serving
from loadtests.http.shots import TOKENS
from loadtests.http.subject import Section, cachemw, sqlite_section, upstream_section


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
    def cachemw(
        self,
        name: str,
        on: frozenset[int],
        store: Section | None = None,
        workers: int = 1,
        cache: Section | None = None,
        *,
        shipped: bool = False,
    ) -> Iterator[Server]:
        """Run cachemw with an empty store of its own, SQLite where none is given.

        Any two questions of a partition are near enough, see policy.py; a request that must miss
        asks for a similarity of 1 by header. `shipped`: as it comes, with the shipped policies.
        """
        config = {
            "mode": "full",
            "cache_dir": str(self.cache_dir),
            "server": {"workers": workers},
            "upstreams": [upstream_section(self.upstream)],
            "cache": cache or {},
            "store": store or sqlite_section(self.scratch / f"{name}.sqlite3"),
            "logs": {"level": "warning"},
            **({} if shipped else everything_near(self.scratch)),
        }
        with cachemw(config, self.scratch, name, on) as server:
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
