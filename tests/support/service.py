"""The service as `app.build` joins it, with its surroundings chosen by a test.

Everything is the real thing but the clock, the store, the upstream, the embedder, the verifier,
the index and who asks, and nothing runs beside the requests: a test takes the steps of upkeep.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType, SimpleNamespace
from typing import Any
from unittest.mock import patch

from cachemw_policies.category import DEFAULT, CategoryPolicy, PolicySet

from cachemw import app as composition
from cachemw import judging
from cachemw.admin import build as admin_build
from cachemw.categories.board import Categories
from cachemw.config import load_config
from cachemw.embed.base import Embedder
from cachemw.exact import ExactTier
from cachemw.flight import Flights
from cachemw.http.control import Readiness
from cachemw.http.surface import Surface
from cachemw.identity.base import Identity
from cachemw.identity.passed_through import PassedThrough
from cachemw.index.partitions import PartitionedIndex
from cachemw.judging import Learnt
from cachemw.loading import SemanticLoader
from cachemw.metrics import Metrics
from cachemw.path import RequestPath
from cachemw.quotas.evictor import Evictor
from cachemw.semantic import SemanticTier
from cachemw.stores.base import DocumentStore
from cachemw.upkeep import Upkeep
from cachemw.upstreams.router import Backend, Price
from cachemw.verify.base import Verifier
from tests.support.around import (
    DIMENSION,
    Clock,
    EchoUpstream,
    Json,
    WordEmbedder,
    chat,
    plain_of,
    stream_of,
    text_of,
    unit,
)
from tests.support.asgi import AsgiClient

__all__ = [
    "ADMIN_TOKEN",
    "DIMENSION",
    "TTL",
    "Assembled",
    "Clock",
    "EchoUpstream",
    "Json",
    "Parts",
    "WordEmbedder",
    "assembled",
    "chat",
    "plain_of",
    "policy_set",
    "stream_of",
    "text_of",
    "unit",
]

ADMIN_TOKEN = "the-admin-token-of-the-tests"
TTL = 3600.0


def policy_set(*policies: CategoryPolicy, **more: Any) -> PolicySet:
    """Return a policy set of these categories; with a `default` if none of them is."""
    named = {policy.name: policy for policy in policies}
    named.setdefault(DEFAULT, CategoryPolicy(DEFAULT, 0.93, TTL, ttl_overload=TTL))
    return PolicySet(MappingProxyType(named), **more)


@dataclass
class Parts:
    """What a test may put in place of the real thing.

    `threshold` is the cold start's of `default`, where there are no `policies`. `verifier` None
    has the cosine for a score. `config` overrides settings, a section of the configuration each.
    """

    store: DocumentStore | None = None
    embedder: Any = None
    index: Any = None
    verifier: Verifier | None = None
    policies: PolicySet | None = None
    upstream: EchoUpstream = field(default_factory=EchoUpstream)
    backends: Sequence[Backend] = ()
    clock: Clock = field(default_factory=Clock)
    identity: Identity = field(default_factory=PassedThrough)
    memory_bytes: int = 1 << 20
    max_answer_bytes: int = 1 << 20
    body_bytes: int = 1 << 24
    commit_wait: float = 5.0
    follower_wait: float = 30.0
    embed_timeout: float = 5.0
    verify_timeout: float = 5.0
    threshold: float = 0.93
    min_similarity: float = 0.75
    config: Mapping[str, Json] = field(default_factory=dict)

    @property
    def in_force(self) -> PolicySet:
        """The policies to begin with."""
        only = CategoryPolicy(DEFAULT, self.threshold, TTL, ttl_overload=TTL)
        return self.policies or policy_set(only)

    def served(self) -> list[Backend]:
        """Return the upstreams."""
        return list(self.backends) or [Backend(self.upstream, prices={"m": Price(1.0, 2.0)})]


@dataclass
class Assembled:
    """The service, and the parts of it that tests look at."""

    client: AsgiClient
    surface: Surface
    metrics: Metrics
    store: DocumentStore
    upstream: EchoUpstream
    flights: Flights
    readiness: Readiness
    clock: Clock
    path: RequestPath
    exact: ExactTier
    learning: Learnt
    evictor: Evictor
    semantic: SemanticTier | None = None
    index: PartitionedIndex | None = None
    embedder: Embedder | None = None

    @property
    def categories(self) -> Categories:
        """What is in force for each category."""
        return self.learning.learner._categories

    def metric(self, name: str, **labels: str) -> float:
        """Return a sample's value, 0 where there is none yet."""
        self.metrics.fold()
        return self.metrics.registry.get_sample_value(f"cachemw_{name}", labels) or 0.0

    async def settled(self) -> None:
        """Wait for what goes on beside the replies: storing, and the comparison of answers."""
        await self.flights.drain(20.0)
        for runner in self.learning.runners:
            await runner.drain(20.0)


@asynccontextmanager
async def assembled(parts: Parts) -> AsyncIterator[Assembled]:
    """Put the service together and take it down."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        with _surroundings(parts) as joined:
            service = composition.build(load_config(_config(parts, folder), env={}), env={})
            surface: Any = service.asgi
            # The start of the application names its parts, and is not to do more here.
            async with surface._control.router.lifespan_context(surface._control):
                pass
        cache, upkeep, flights, learning = (
            joined[name] for name in ("cache", "upkeep", "flights", "learning")
        )
        # A store that is back is believed at once: this one is not made of several servers.
        cache.state._settle_s = 0.0
        stack.push_async_callback(_down, upkeep, flights, learning)
        index = await _loaded(parts, upkeep._loader, cache.semantic)
        yield Assembled(
            AsgiClient(surface, {"authorization": "Bearer sk-alice"}),
            surface,
            service.metrics,
            cache.store,
            parts.upstream,
            flights,
            service.readiness,
            parts.clock,
            surface._answer.__self__,
            cache.exact,
            learning,
            upkeep._evictor,
            cache.semantic,
            index,
            parts.embedder,
        )


@contextmanager
def _surroundings(parts: Parts) -> Iterator[dict[str, Any]]:
    """Have the composition root find what a test has chosen; what it joins is then in the dict."""
    backends = {backend.upstream.name: backend for backend in parts.served()}
    clock = SimpleNamespace(
        time=parts.clock, monotonic=time.monotonic, perf_counter=time.perf_counter
    )
    loader = partial(
        SemanticLoader, load=lambda *_: parts.embedder, load_judge=lambda *_: parts.verifier
    )
    joined: dict[str, Any] = {}

    @asynccontextmanager
    async def running(cache: Any, _: Any, upkeep: Any, *more: Any) -> AsyncIterator[None]:
        joined.update(cache=cache, upkeep=upkeep, flights=more[0], learning=more[1])
        yield

    replaced: dict[Any, dict[str, Any]] = {
        composition: {
            "backend": lambda upstream, *_: backends[upstream.name],
            "identity": lambda *_: parts.identity,
            "SemanticLoader": loader,
            "_running": running,
            **({} if parts.store is None else {"make_store": lambda *_: parts.store}),
        },
        judging: {} if _has_file(parts) else {"load_policy": lambda _: parts.in_force},
        admin_build: {},
    }
    with ExitStack() as stack:
        for module, names in replaced.items():
            stack.enter_context(patch.multiple(module, **names, time=clock))
        yield joined


async def _loaded(
    parts: Parts, loader: SemanticLoader | None, tier: SemanticTier | None
) -> PartitionedIndex | None:
    """Load the semantic tier, with the test's index if it has one."""
    if loader is None or tier is None:
        return None
    await loader.load()
    assert loader.parts is not None, "nothing was loaded"
    if parts.index is not None:
        await loader.parts.index.aclose()
        loader.parts = replace(loader.parts, index=parts.index)
        tier.attach(loader.parts)
    return loader.parts.index


async def _down(upkeep: Upkeep, flights: Flights, learning: Learnt) -> None:
    await learning.drain(0.0)
    await flights.drain(0.0)
    await upkeep.aclose()
    await learning.learner.aclose()


def _has_file(parts: Parts) -> bool:
    return "file" in parts.config.get("categories", {})


def _config(parts: Parts, folder: Path) -> dict[str, Any]:
    names = [backend.upstream.name for backend in parts.served()]
    config: dict[str, Any] = {
        "mode": "exact" if parts.embedder is None else "full",
        "cache_dir": str(folder),
        "upstreams": [{"name": name, "base_url": "http://127.0.0.1:9"} for name in names],
        "server": {"max_body_bytes": 1 << 20, "body_bytes": parts.body_bytes},
        "store": {"kind": "memory", "max_bytes": 1 << 24},
        "cache": {
            "memory_bytes": parts.memory_bytes,
            "max_answer_bytes": parts.max_answer_bytes,
            "commit_wait_seconds": parts.commit_wait,
            "follower_wait_seconds": parts.follower_wait,
            "flight_bytes": 1 << 30,
            "key_headers": ["openai-beta"],
        },
        "semantic": {
            "min_similarity": parts.min_similarity,
            "verifier": "none" if parts.verifier is None else "the test's",
            "verify_seconds": parts.verify_timeout,
        },
        "embedder": {"max_wait_seconds": parts.embed_timeout},
        # Hits are checked, and lookups that do not pay left out, where a test is about that.
        "shadow": {"share": 0.0, "dense": 0},
        "accounting": {"probes": 1.0},
        "admin": {"token_sha256": sha256(ADMIN_TOKEN.encode()).hexdigest()},
    }
    for section, values in parts.config.items():
        config[section] = {**config.get(section, {}), **values}
    return config
