"""The requests of the soak, each with what may come back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count
from random import Random
from typing import Any

import orjson

from loadtests.fake_upstream.answer import compose
from loadtests.fake_upstream.behaviour import parse
from loadtests.http.client import Response, raw_request
from loadtests.http.shots import TOKENS, plain_text, streamed_text
from loadtests.http.wording import aside, question
from loadtests.soak.setup import ADMIN_TOKEN, FLAKY_MODEL, MAX_BODY

_ADMIN = {"authorization": f"Bearer {ADMIN_TOKEN}"}
CHAT = "/v1/chat/completions"
# What the administrator is told while the store does not answer in time, as on a busy machine.
_AWAY = 503
_HOT = 150
_VARIANTS = 30
_TENANTS = 60
_FAILURES = (
    "status=500",
    "status=503;retry-after=1",
    "status=429;retry-after=30",
    "status=400",
    "status=500;times=1",
    "die=before",
    "die=mid",
    "error-event",
    "malformed-sse",
    "no-done",
    "delay=1.5",
)

Check = Callable[[Response], str | None]


@dataclass(frozen=True, slots=True)
class Probe:
    """A request and its check, which says what is wrong with the reply or None.

    `cut` 0 reads the whole reply; else the client leaves after so many bytes, or after `leave_s`.
    `closes`: the connection may end in the middle of the reply.
    """

    raw: bytes
    check: Check
    cut: int = 0
    leave_s: float = 0.0
    closes: bool = False


@dataclass
class Kinds:
    """Makes probes of some kinds. The same seed makes the same probes in the same order."""

    rng: Random
    only: Sequence[str] = ()
    _numbers: count[int] = field(default_factory=count)
    _owners: dict[str, str] = field(default_factory=dict)
    _entries: deque[str] = field(default_factory=lambda: deque(maxlen=100))

    def draw(self) -> tuple[str, Probe]:
        """Return the next probe and the name of its kind."""
        names = self.only or list(WEIGHTS)
        [name] = self.rng.choices(names, weights=[WEIGHTS[name] for name in names])
        make: Callable[[], Probe] = getattr(self, f"_{name}")
        return name, make()

    # ---- what is answered from the cache ----

    def _exact_hit(self) -> Probe:
        probe = _asked(_question(self.rng.randrange(_HOT), 0))

        def check(response: Response) -> str | None:
            entry = response.header(b"x-cachemw-entry").decode()
            self._entries.extend([entry] if entry else [])
            return probe.check(response)

        return replace(probe, check=check)

    def _semantic_hit(self) -> Probe:
        """Ask for a hot thing in other words: any answer of this partition may come back."""
        text = _question(self.rng.randrange(_HOT), self.rng.randrange(1, _VARIANTS))
        return Probe(_chat(_body(text)), _check_among_hot)

    def _stream_hit(self) -> Probe:
        return _asked(_question(self.rng.randrange(_HOT), 0), stream=True)

    def _stored_anew(self) -> Probe:
        return _asked(_question(self.rng.randrange(_HOT), 0), {"cache-control": "no-cache"})

    # ---- what is not ----

    def _miss(self) -> Probe:
        """Ask a question of its own in a conversation of its own: a new partition."""
        text = f"Tell me about the case {next(self._numbers)}, please."
        headers = {"x-cachemw-ttl": "3", "x-cachemw-tags": f"run-{next(self._numbers)}"}
        return _asked(text, headers, system=f"You know all about {text}")

    def _crowded_miss(self) -> Probe:
        """Ask a new question where many were asked: searched for in vain, then indexed."""
        text = f"Explain number {next(self._numbers)} of {self.rng.random()}"
        return _asked(text, {"x-cachemw-threshold": "1"}, system="You explain numbers.")

    def _stream_miss(self) -> Probe:
        text = f"Sing about the number {next(self._numbers)}"
        return _asked(text, {"x-cachemw-threshold": "1"}, stream=True, system="You sing.")

    def _made_up_names(self) -> Probe:
        number = next(self._numbers)
        headers = {
            "x-cachemw-tags": f"tag-{number},other-{number}",
            "x-cachemw-scope": f"scope-{number}",
            "x-cachemw-category": "default",
            "authorization": f"Bearer made-up-{number}",
        }
        return _asked("Who are you?", headers, model=f"made-up-{number}")

    def _pass_through(self) -> Probe:
        path = f"/v1/files-{next(self._numbers)}"
        return Probe(raw_request(path, b'{"a":1}'), _status(200))

    def _models(self) -> Probe:
        return Probe(raw_request("/v1/models", method="GET"), _status(200))

    def _other_endpoints(self) -> Probe:
        text = f"input {next(self._numbers)}"
        path, body = self.rng.choice(
            [
                ("/v1/embeddings", {"model": "fake", "input": text}),
                ("/v1/completions", {"model": "fake", "prompt": text}),
                ("/v1/responses", {"model": "fake", "input": text, "store": False}),
                ("/v1/responses", {"model": "fake", "input": text, "stream": True}),
            ]
        )
        return Probe(raw_request(path, orjson.dumps(body)), _status(200))

    def _tenants(self) -> Probe:
        """Ask what others ask: every call's answer differs, and is one tenant's only."""
        tenant = f"tenant-{self.rng.randrange(_TENANTS)}"
        body = _body(question(self.rng.randrange(20)))
        body["x_fake"] = "vary"
        headers = {"authorization": f"Bearer {tenant}"}

        def check(response: Response) -> str | None:
            wrong = _status(200)(response)
            if wrong:
                return wrong
            owner = self._owners.setdefault(plain_text(response.body), tenant)
            return None if owner == tenant else f"{tenant} was given an answer of {owner}"

        return Probe(_chat(body, headers), check)

    # ---- the administrator ----

    def _admin_look(self) -> Probe:
        path = self.rng.choice(["stats", "entries?limit=50", "export?tag=none"])
        raw = raw_request(f"/cache/{path}", headers=_ADMIN, method="GET")
        return Probe(raw, _status(200, _AWAY))

    def _admin_delete(self) -> Probe:
        """Delete a hot entry; it may have gone already."""
        if not self._entries:
            return self._admin_look()
        path = f"/cache/entries/{self._entries.pop()}"
        return Probe(raw_request(path, headers=_ADMIN, method="DELETE"), _status(200, 404, _AWAY))

    def _admin_purge(self) -> Probe:
        """Purge what carries a tag of late, or what is old."""
        wanted = self.rng.choice(
            [{"tag": f"run-{next(self._numbers) - 50}"}, {"older_than": 50}, {"model": "made-up-1"}]
        )
        return Probe(raw_request("/cache/purge", orjson.dumps(wanted), _ADMIN), _status(200, _AWAY))

    # ---- what goes wrong ----

    def _upstream_failure(self) -> Probe:
        body = _body(f"Fail, please: {self.rng.randrange(500)}", stream=self.rng.random() < 0.5)
        body |= {"model": FLAKY_MODEL, "x_fake": self.rng.choice(_FAILURES)}
        return Probe(_chat(body), _status(200, 400, 429, 500, 502, 503, 504), closes=True)

    def _hung_up(self) -> Probe:
        """Leave in the middle of a stream, or before its head."""
        body = _body(f"Long story {next(self._numbers)}", stream=True)
        body["x_fake"] = "ttft-ms=30;tpot-ms=2"
        early = self.rng.random() < 0.5
        return Probe(_chat(body), _anything, cut=1 if early else 900, leave_s=0.01 if early else 1)

    def _hung_up_while_sending(self) -> Probe:
        whole = _chat(_body("x" * 2000))
        return Probe(whole[: len(whole) // 2], _anything, cut=1, leave_s=0.01)

    def _oversized(self) -> Probe:
        return Probe(_chat(_body("x" * (MAX_BODY + 1))), _status(413), closes=True)

    def _malformed(self) -> Probe:
        raw = self.rng.choice([b"{", b"[]", b'{"model": 1}', b"\xff\xfe", b'{"model":"x"}'])
        unknown = {"x-cachemw-category": f"category-{next(self._numbers)}"}
        requests = raw_request(CHAT, raw), _chat(_body("Which kind?"), unknown)
        return Probe(self.rng.choice(requests), _status(400))

    def _scrape(self) -> Probe:
        path = self.rng.choice(["/metrics", "/readyz", "/healthz"])
        return Probe(raw_request(path, method="GET"), _status(200))


WEIGHTS: Mapping[str, int] = {
    "exact_hit": 30,
    "semantic_hit": 10,
    "stream_hit": 8,
    "stored_anew": 3,
    "miss": 10,
    "crowded_miss": 10,
    "stream_miss": 5,
    "made_up_names": 5,
    "pass_through": 3,
    "models": 1,
    "other_endpoints": 4,
    "tenants": 8,
    "upstream_failure": 4,
    "hung_up": 4,
    "hung_up_while_sending": 1,
    "oversized": 1,
    "malformed": 2,
    "scrape": 1,
    "admin_look": 1,
    "admin_delete": 2,
    "admin_purge": 1,
}
"""All kinds, and how often each is drawn among the others."""


def _question(thing: int, variant: int) -> str:
    return f"{question(thing)} {aside(variant)}" if variant else question(thing)


def _body(
    text: str, *, model: str = "fake-large", system: str = "You help.", stream: bool = False
) -> dict[str, Any]:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    return {"model": model, "messages": messages, **({"stream": True} if stream else {})}


def _chat(body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> bytes:
    return raw_request(CHAT, orjson.dumps(body), headers)


def _asked(
    text: str,
    headers: Mapping[str, str] | None = None,
    *,
    model: str = "fake-large",
    system: str = "You help.",
    stream: bool = False,
) -> Probe:
    """Ask a chat question whose answer is known."""
    body = _body(text, model=model, system=system, stream=stream)

    def check(response: Response) -> str | None:
        wrong = _status(200)(response)
        if wrong:
            return wrong
        if response.header(b"x-cachemw-layer") == b"semantic":
            return _check_among_hot(response)
        return None if _text(response) == _answer(body) else "another answer"

    return Probe(_chat(body, headers), check)


def _answer(body: Mapping[str, Any]) -> str:
    return compose(body, parse(""), tokens=TOKENS, salt="").choices[0].text


@cache
def _hot_answers() -> frozenset[str]:
    texts = (_question(thing, variant) for thing in range(_HOT) for variant in range(_VARIANTS))
    return frozenset(_answer(_body(text)) for text in texts)


def _check_among_hot(response: Response) -> str | None:
    wrong = _status(200)(response)
    if wrong:
        return wrong
    return None if _text(response) in _hot_answers() else "an answer of another partition"


def _text(response: Response) -> str:
    streamed = response.header(b"content-type").startswith(b"text/event-stream")
    return streamed_text(response.body) if streamed else plain_text(response.body)


def _status(*allowed: int) -> Check:
    def check(response: Response) -> str | None:
        if response.status in allowed:
            return None
        return f"status {response.status}: {response.body[:120]!r}"

    return check


def _anything(_response: Response) -> str | None:
    return None
