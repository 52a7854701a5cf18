"""A request is read once: what it says, where it goes, and which key it has."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import orjson
import pytest
from cachemw_policies.category import CategoryPolicy, PolicySet

from cachemw.ask import Ask, AskReader
from cachemw.directives import Mode
from cachemw.endpoints.chat import ChatCompletions
from cachemw.errors import BadRequest, BodyTooLarge, ModelNotFound
from cachemw.http.messages import BodyMemory, Header, HttpRequest
from cachemw.identity.passed_through import PassedThrough
from cachemw.upstreams.base import Upstream, UpstreamReply, UpstreamRequest
from cachemw.upstreams.router import Backend, Router
from tests.support.service import policy_set
from tests.support.tiers import board

BODY: dict[str, Any] = {"model": "gpt", "messages": [{"role": "user", "content": "Why?"}]}
ANN: Header = (b"authorization", b"Bearer ann")
BOB: Header = (b"authorization", b"Bearer bob")


class Named(Upstream):
    """An upstream that is never called."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def start(self) -> None:
        raise NotImplementedError

    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError


FACTS = policy_set(CategoryPolicy("facts"))


def reader(
    *, ceiling: Mode = Mode.FULL, max_body_bytes: int = 1000, policies: PolicySet = FACTS
) -> AskReader:
    backends = [
        Backend(Named("one"), models=("gpt",), aliases={"fast": "gpt"}),
        Backend(Named("two"), models=("gpt", "other")),
    ]
    return AskReader(
        Router(backends),
        ceiling=ceiling,
        max_body_bytes=max_body_bytes,
        bodies=BodyMemory(1 << 20),
        key_headers=("OpenAI-Beta", "x-project"),
        monotonic=lambda: 7.0,
        named=board(policies).named,
        load_of=lambda route: {"gpt": 0.25}.get(route.model, 0.0),
    )


async def read(
    body: Any = None, *headers: Header, query: bytes = b"", by: AskReader | None = None
) -> Ask:
    """Read a request with `body` (bytes as they are, all else as JSON)."""
    written = body if isinstance(body, bytes) else orjson.dumps(BODY if body is None else body)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": written, "more_body": False}

    path = "/v1/chat/completions"
    request = HttpRequest("POST", path, query, list(headers), dict(headers), receive)
    PassedThrough().admit(request)
    return await (by or reader()).read(request, ChatCompletions())


async def key(*args: Any, **more: Any) -> bytes:
    return (await read(*args, **more)).key


async def test_what_it_reads() -> None:
    ask = await read(
        {**BODY, "stream": True, "stream_options": {"include_usage": True}},
        (b"x-cachemw-tags", b"a"),
    )

    assert (ask.stream, ask.usage, ask.started) == (True, True, 7.0)
    assert (ask.route.backend.upstream.name, ask.route.model) == ("one", "gpt")
    assert ask.directives.tags == ("a",)
    assert (ask.asked, ask.decision, ask.near) == (None, None, None)
    assert (ask.category, ask.named) == ("default", None)


async def test_a_stream_and_a_plain_request_share_their_key() -> None:
    assert await key({**BODY, "stream": True}) == await key(BODY)


async def test_an_alias_and_its_model_share_their_key() -> None:
    assert await key({**BODY, "model": "fast"}) == await key(BODY)


async def test_what_keeps_requests_apart() -> None:
    beta: Header = (b"openai-beta", b"1")
    asks = await asyncio.gather(
        read(BODY),
        read({**BODY, "model": "other"}),
        read({**BODY, "unknown": 1}),
        read(BODY, ANN),
        read(BODY, BOB),
        read(BODY, ANN, (b"x-cachemw-scope", b"a")),
        read(BODY, ANN, (b"x-cachemw-scope", b"b")),
        read(BODY, (b"x-cachemw-scope", b"a")),
        read(BODY, query=b"1"),
        read(BODY, query=b"2"),
        read(BODY, beta),
        read(BODY, (b"openai-beta", b"2")),
        read(BODY, (b"openai-beta", b"2"), beta),  # the upstream sees both
        read(BODY, (b"x-project", b"1")),
    )

    assert len({ask.key for ask in asks}) == len(asks)


async def test_other_headers_and_directives_do_not() -> None:
    same = await key()

    for header in (
        (b"x-request-id", b"1"),
        (b"x-cachemw-ttl", b"5"),
        (b"cache-control", b"no-cache"),
    ):
        assert await key(BODY, header) == same


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        ([(b"cache-control", b"max-age=60")], 60),
        ([(b"x-cachemw-ttl", b"5")], 5),
        ([(b"cache-control", b"max-age=60"), (b"x-cachemw-ttl", b"5")], 5),
        ([(b"cache-control", b"max-age=3"), (b"x-cachemw-ttl", b"5")], 3),
        ([(b"x-cachemw-ttl", b"0")], 0),
    ],
)
async def test_the_oldest_answer_that_is_taken(
    headers: list[Header], expected: float | None
) -> None:
    assert (await read(BODY, *headers)).max_age == expected


async def test_the_configured_mode_is_the_ceiling() -> None:
    ask = await read(BODY, (b"x-cachemw-mode", b"full"), by=reader(ceiling=Mode.EXACT))

    assert ask.directives.mode is Mode.EXACT


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"[]", None),
        ({"messages": "Hi"}, "messages"),
        ({**BODY, "model": 5}, "model"),
        ({"messages": BODY["messages"]}, "model"),
        ({**BODY, "stream": "yes"}, "stream"),
        ({**BODY, "stream_options": 5}, "stream_options"),
    ],
)
async def test_a_bad_request_names_its_field(body: Any, param: str | None) -> None:
    with pytest.raises(BadRequest) as caught:
        await read(body)
    assert caught.value.param == param


async def test_a_body_over_the_limit() -> None:
    with pytest.raises(BodyTooLarge):
        await read(BODY, by=reader(max_body_bytes=10))


async def test_a_model_nobody_serves() -> None:
    with pytest.raises(ModelNotFound):
        await read({**BODY, "model": "nobody's"})


async def test_the_load_is_that_of_the_model_asked_for() -> None:
    assert (await read()).load == 0.25
    assert (await read({**BODY, "model": "other"})).load == 0.0


def _in_metadata(value: Any) -> dict[str, Any]:
    return {**BODY, "metadata": {"cachemw_category": value}}


@pytest.mark.parametrize(
    ("body", "headers", "named"),
    [
        (BODY, [(b"x-cachemw-category", b"facts")], "facts"),
        (_in_metadata("facts"), [], "facts"),
        (_in_metadata("nonsense"), [(b"x-cachemw-category", b"facts")], "facts"),
        (_in_metadata(7), [], None),
        ({**BODY, "metadata": ["cachemw_category"]}, [], None),
        ({**BODY, "metadata": {"category": "nonsense"}}, [], None),
    ],
)
async def test_the_category_that_a_request_names(
    body: Any, headers: list[Header], named: str | None
) -> None:
    ask = await read(body, *headers)
    assert (ask.named, ask.category) == (named, named or "default")


@pytest.mark.parametrize("by_header", [False, True])
async def test_a_category_that_is_not_there_is_refused(by_header: bool) -> None:
    headers = [(b"x-cachemw-category", b"fact")] if by_header else []
    with pytest.raises(BadRequest, match="'facts'") as caught:
        await read(BODY if by_header else _in_metadata("fact"), *headers)
    field = "x-cachemw-category" if by_header else "metadata.cachemw_category"
    assert caught.value.param == field


async def test_where_clients_may_not_choose_what_they_name_is_not_heard() -> None:
    by = reader(policies=policy_set(CategoryPolicy("facts"), client_may_choose=False))
    for name in (b"facts", b"nonsense"):
        ask = await read(BODY, (b"x-cachemw-category", name), by=by)
        assert (ask.named, ask.category) == (None, "default")


async def test_a_named_category_does_not_divide_the_exact_key() -> None:
    """It says how the question is treated, not what is asked."""
    assert await key(BODY, (b"x-cachemw-category", b"facts")) == await key(BODY)
