"""What tests of shadow checks share: asks, documents, runners that note what comes of checks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cachemw_policies.answers import Outcome, Verdict
from cachemw_policies.labels import Label, Source

from cachemw.ask import Ask, AskReader, Scored
from cachemw.directives import Mode
from cachemw.endpoints.base import Endpoint
from cachemw.endpoints.chat import ChatCompletions
from cachemw.http.messages import BodyMemory, HttpRequest
from cachemw.identity.caller import Caller
from cachemw.shadow.budget import CheckBudget
from cachemw.shadow.runner import CheckRunner, Sinks
from cachemw.states import DependencyState
from cachemw.stores.base import Document
from cachemw.upstreams.router import Backend, Router
from tests.support.service import Clock, EchoUpstream, chat, plain_of

CHAT = ChatCompletions()


async def ask_for(text: str, **headers: str) -> Ask:
    """Return a chat request as the path reads it."""
    names = {k.replace("_", "-").encode(): v.encode() for k, v in headers.items()}
    body = json.dumps(chat(text)).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    request = HttpRequest(
        "POST", CHAT.path, b"", list(names.items()), names, receive, Caller("anonymous")
    )
    reader = AskReader(
        Router([Backend(EchoUpstream())]),
        ceiling=Mode.FULL,
        max_body_bytes=1 << 20,
        bodies=BodyMemory(1 << 20),
        key_headers=(),
        monotonic=asyncio.get_running_loop().time,
        named=lambda wanted: wanted,
        load_of=lambda _: 0.0,
    )
    return await reader.read(request, CHAT)


def scored(text: str, score: float = 0.98) -> Scored:
    """Return a candidate whose answer is `text`."""
    document = Document(
        key=b"d" * 32,
        tenant="anonymous",
        endpoint=CHAT.name,
        model="m",
        created_at=0.0,
        expires_at=1e9,
        prompt="stored question",
        body=CHAT.pack(plain_of(text)),
        upstream_seconds=1.0,
        prompt_tokens=1,
        completion_tokens=1,
    )
    return Scored(document, score, "facts", "scale-1")


class FixedComparer:
    """Compares by a fixed outcome; `gate` holds it back, `failure` is raised."""

    def __init__(self, outcome: Outcome = Outcome.SAME) -> None:
        self.outcome = outcome
        self.gate: asyncio.Event | None = None
        self.failure: Exception | None = None
        self.judged: list[bool] = []
        self.questions: list[str] = []

    async def compare(
        self, endpoint: Endpoint, question: str, stored: bytes, fresh: Any, *, judge: bool
    ) -> Verdict:
        """Say the same whatever comes."""
        self.judged.append(judge)
        self.questions.append(question)
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return Verdict(self.outcome, "fixed")


@dataclass
class Noted:
    """A runner, and everything that came of its checks."""

    comparer: Any = field(default_factory=FixedComparer)
    source: Source = Source.SHADOW
    in_flight: int = 4
    per_minute: float = 100.0
    clock: Clock = field(default_factory=lambda: Clock(5000.0))
    labels: list[Label] = field(default_factory=list)
    counts: list[str] = field(default_factory=list)
    changes: list[bool] = field(default_factory=list)
    told: list[tuple[str, bool]] = field(default_factory=list)
    on_label: Callable[[Label], None] | None = None

    def __post_init__(self) -> None:
        budget = CheckBudget(self.in_flight, self.per_minute, self.clock)
        state = DependencyState("checks", self.changes.append)
        sinks = Sinks(self.on_label or self.labels.append, self._count, self._compared)
        self.runner = CheckRunner(self.source, self.comparer, budget, sinks, state, self.clock)

    def _count(self, source: Source, outcome: str) -> None:
        assert source is self.source
        self.counts.append(outcome)

    def _compared(self, category: str, told: bool) -> None:
        self.told.append((category, told))
