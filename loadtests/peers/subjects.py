"""What is compared, started side by side; the measurements take them in turn."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtests.http.exact import bare, stored
from loadtests.http.nginx import nginx_proxy
from loadtests.http.redis import redis_server
from loadtests.http.rig import Rig
from loadtests.http.servers import Server
from loadtests.http.shots import Incorrect
from loadtests.http.subject import Section, redis_section, sqlite_section
from loadtests.peers.litellm import litellm

UPSTREAM = "upstream, direct"
NGINX = "nginx, proxy"


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run cachemw. Without memory every exact hit comes from the store."""

    store: str
    workers: int = 1
    memory: bool = True

    @property
    def name(self) -> str:
        """Its name in the tables."""
        count = f"{self.workers} worker{'s' if self.workers > 1 else ''}"
        return f"cachemw, {count}, {self.store}{'' if self.memory else ', no memory tier'}"


VARIANTS = (
    Variant("SQLite"),
    Variant("Redis"),
    Variant("SQLite", memory=False),
    Variant("Redis", memory=False),
    Variant("SQLite", workers=2),
    Variant("Redis", workers=2),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A server under test.

    `layers`: its replies name the layer that they come from. `slow`: many connections are measured
    for longer, or hardly a reply would come in that time.
    """

    name: str
    server: Server
    workers: int = 1
    layers: bool = False
    slow: bool = False

    def layer(self, name: str) -> str | None:
        """Return the layer that a reply must name, None where none is named."""
        return name if self.layers else None


@dataclass(frozen=True)
class Field:
    """Everything that was started. `bare` holds the floors by their number of workers."""

    rig: Rig
    bare: dict[int, Subject]
    cachemw: dict[Variant, Subject]
    plain: dict[str, Subject]
    litellm: dict[str, Subject]

    def load_cores(self, subject: Subject) -> frozenset[int]:
        """Return where the load of a subject is made: beside one worker on the other core."""
        return self.rig.cores.load if subject.workers == 1 else self.rig.cores.all

    def upstream_calls(self) -> int:
        """Return how many answers the upstream has made so far."""
        url = f"http://127.0.0.1:{self.rig.upstream.port}/calls"
        with urllib.request.urlopen(url, timeout=10) as reply:
            return int(sum(json.load(reply).values()))

    def require_calls(self, subject: Subject, before: int, requests: int, calls: int) -> None:
        """Raise Incorrect unless the upstream was asked as often as requests must have asked it.

        Where they must not, any call is one too many. Where they must, there may be more: those
        whose client did not wait for the reply.
        """
        made = self.upstream_calls() - before
        if made < requests * calls or (made and not calls):
            raise Incorrect(f"{subject.name}: {made} upstream calls for {requests} requests")


@contextmanager
def field(rig: Rig, program: Path | None, variants: Sequence[Variant]) -> Iterator[Field]:
    """Start everything; `program` is LiteLLM's, None to leave it out."""
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(rig.scratch / "redis", rig.cores.load))
        cachemw = {variant: _cachemw(stack, rig, variant, redis) for variant in variants}
        hit = asyncio.run(stored(next(iter(cachemw.values())).server.port))
        floors = {}
        for workers in sorted({variant.workers for variant in variants}):
            server = stack.enter_context(bare(rig, hit, _server_cores(rig, workers), workers))
            floors[workers] = Subject(_bare_name(workers), server, workers, layers=True)
        plain = {UPSTREAM: Subject(UPSTREAM, rig.upstream)}
        proxy = stack.enter_context(nginx_proxy(rig.scratch, rig.upstream, rig.cores.server))
        if proxy is not None:
            plain[NGINX] = Subject(NGINX, proxy)
        peers = {}
        if program is not None:
            for cache, place in (("memory", None), ("Redis", redis)):
                running = litellm(program, rig.scratch, rig.upstream, place, rig.cores.server)
                server = stack.enter_context(running)
                peers[cache] = Subject(f"LiteLLM, 1 worker, {cache}", server, slow=True)
        yield Field(rig, floors, cachemw, plain, peers)


def _bare_name(workers: int) -> str:
    return f"bare ASGI, {workers} worker{'s' if workers > 1 else ''}"


def _server_cores(rig: Rig, workers: int) -> frozenset[int]:
    return rig.cores.server if workers == 1 else rig.cores.all


def _cachemw(stack: ExitStack, rig: Rig, variant: Variant, redis: Server) -> Subject:
    file = "".join(c if c.isalnum() else "-" for c in variant.name)
    on_disk = sqlite_section(rig.scratch / f"{file}.sqlite3")
    store = redis_section(redis, file) if variant.store == "Redis" else on_disk
    # A busy machine is to show in the times, not as misses.
    store |= {"get_seconds": 2.0}
    cache: Section = {} if variant.memory else {"memory_bytes": 1}
    running = rig.cachemw(file, _server_cores(rig, variant.workers), store, variant.workers, cache)
    return Subject(variant.name, stack.enter_context(running), variant.workers, layers=True)
