"""The header that explains: only where it is asked for, and with nobody's text in it."""

from __future__ import annotations

import pytest
from cachemw_policies.decision import Candidate, Decision, Outcome, Weighed

from cachemw.explain import explained
from tests.support.checks import ask_for

SERVED = Decision(
    Outcome.SERVED,
    Weighed(Candidate(b"k", 0.98765), 0.0, 1.0, score=0.912345),
    0.9,
    0.25,
    "cold start",
)
GUARDED = Decision(
    Outcome.GUARDED,
    Weighed(Candidate(b"k", 0.8), 0.0, 1.0, objection="numbers"),
    None,
    0.0,
    "probation",
)


async def said(decision: Decision | None = None, **fields: object) -> list[str]:
    ask = await ask_for("my secret question", x_cachemw_explain="1")
    ask.decision = decision
    for field, value in fields.items():
        setattr(ask, field, value)
    ((name, text),) = explained(ask)
    assert name == b"x-cachemw-decision"
    assert b"secret" not in text
    return text.decode().split("; ")


@pytest.mark.parametrize("headers", [{}, {"x_cachemw_explain": "0"}])
async def test_it_is_there_only_where_it_is_asked_for(headers: dict[str, str]) -> None:
    assert explained(await ask_for("q", **headers)) == []


async def test_without_a_lookup() -> None:
    assert await said() == ["category=default", "category_by=none", "outcome=no_lookup"]


async def test_an_exact_hit_has_its_entrys_category() -> None:
    ask = await ask_for("q", x_cachemw_explain="1")
    ((_, text),) = explained(ask, "code")
    assert text == b"category=code; category_by=entry; outcome=no_lookup"


async def test_a_hit() -> None:
    assert await said(SERVED, category="code", named="code") == [
        "category=code",
        "category_by=request",
        "outcome=served",
        "load=0.25",
        "threshold=0.9000",
        "threshold_by=cold_start",
        "similarity=0.9877",
        "score=0.9123",
    ]


async def test_an_objection_and_no_threshold() -> None:
    assert (await said(GUARDED))[2:] == [
        "outcome=guarded",
        "load=0.00",
        "threshold=none",
        "threshold_by=probation",
        "similarity=0.8000",
        "guard=numbers",
    ]


async def test_a_hit_that_was_asked_anew() -> None:
    assert (await said(SERVED, withheld=True))[-1] == "withheld=to_check"


async def test_nothing_near() -> None:
    decision = Decision(Outcome.NOTHING_NEAR, None, 0.9, 0.0, "calibrated")
    assert (await said(decision))[-1] == "threshold_by=calibrated"
