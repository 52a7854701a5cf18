from __future__ import annotations

from random import Random

import pytest
from cachemw_policies.guards.table import objection, read

from loadtests.http.client import Response
from loadtests.soak.kinds import _HOT, _VARIANTS, WEIGHTS, Kinds, Probe, _question


def _reply(status: int, body: bytes = b"", layer: bytes = b"upstream") -> Response:
    return Response(status, [(b"x-cachemw-layer", layer)], body, 0.1, None)


def _chat(text: str) -> bytes:
    return b'{"choices":[{"message":{"content":"%s"}}]}' % text.encode()


def _one(kind: str, seed: int = 1) -> Probe:
    return Kinds(Random(seed), [kind]).draw()[1]


@pytest.mark.parametrize("kind", WEIGHTS)
def test_every_kind_can_be_asked_alone(kind: str) -> None:
    kinds = Kinds(Random(1), [kind])
    drawn = [kinds.draw() for _ in range(50)]
    assert {name for name, _ in drawn} == {kind}
    assert all(b" HTTP/1.1\r\n" in probe.raw for _, probe in drawn)


def test_the_same_seed_asks_the_same() -> None:
    first, second = (Kinds(Random(7)) for _ in range(2))
    assert [first.draw()[1].raw for _ in range(200)] == [second.draw()[1].raw for _ in range(200)]


def test_all_kinds_come_up() -> None:
    kinds = Kinds(Random(1))
    assert {kinds.draw()[0] for _ in range(5000)} == set(WEIGHTS)


@pytest.mark.parametrize("kind", ["exact_hit", "miss", "stream_miss", "made_up_names", "scrape"])
@pytest.mark.parametrize("status", [400, 500, 502, 503, 504])
def test_an_error_that_was_not_provoked_is_a_fault(kind: str, status: int) -> None:
    assert f"status {status}" in (_one(kind).check(_reply(status)) or "")


def test_a_provoked_error_is_none() -> None:
    assert _one("upstream_failure").check(_reply(502)) is None
    assert _one("oversized").check(_reply(413)) is None
    assert _one("oversized").check(_reply(200)) is not None


def test_another_answer_is_a_fault() -> None:
    wrong = _reply(200, _chat("Answer of somebody else"))
    assert _one("miss").check(wrong) == "another answer"
    near = _reply(200, _chat("Answer of somebody else"), b"semantic")
    assert _one("exact_hit").check(near) == "an answer of another partition"


def test_an_answer_belongs_to_the_tenant_who_had_it_first() -> None:
    kinds = Kinds(Random(1), ["tenants"])
    probes: dict[bytes, Probe] = {}
    while len(probes) < 2:
        probe = kinds.draw()[1]
        probes[probe.raw.split(b"authorization: ")[1].split(b"\r\n")[0]] = probe
    one, other = probes.values()
    assert one.check(_reply(200, _chat("mine"))) is None
    assert one.check(_reply(200, _chat("mine"))) is None
    assert "was given an answer of" in (other.check(_reply(200, _chat("mine"))) or "")


def test_no_guard_objects_to_the_other_words_of_a_hot_question() -> None:
    texts = [_question(thing, variant) for thing in range(_HOT) for variant in range(_VARIANTS)]
    assert len(set(texts)) == _HOT * _VARIANTS
    for place, text in enumerate(texts[:-1:11]):
        assert objection(read(text), read(texts[-place])) is None


def test_a_category_that_nobody_knows_is_among_the_malformed() -> None:
    kinds = Kinds(Random(1), ["malformed"])
    assert any(b"x-cachemw-category: category-" in kinds.draw()[1].raw for _ in range(20))
