"""The reply, and the endpoint that gives it."""

from __future__ import annotations

import logging
import math
from dataclasses import fields, replace

import orjson
import pytest
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import Bar

from cachemw.admin.categories import Benefit, Estimate, categories_json
from cachemw.admin.category_models import CategoriesResult, PolicyShown
from cachemw.stores.memory import MemoryStore
from tests.cachemw.admin.conftest import Admin, SomeCategories, admin_over, category_view
from tests.support.service import Clock

NOTHING_KNOWN = category_view(
    "default",
    lookups=0,
    hits=0,
    threshold=None,
    normal=Bar(None, "cold start"),
    overload=Bar(None, "cold start"),
    false_hits=Estimate(),
    benefit=Benefit(-math.inf, math.nan, "unknown"),
)


def test_every_value_is_there() -> None:
    (one,) = orjson.loads(categories_json([category_view()]))["categories"]
    assert one == {
        "category": "code",
        "entries": 1200,
        "bytes": 3_400_000,
        "share": 0.125,
        "entitlement": 0.25,
        "lookups": 800,
        "hits": 200,
        "hit_rate": 0.25,
        "threshold": 0.9125,
        "normal": {"threshold": 0.93, "origin": "calibrated", "labels": 412, "errors": 6},
        "overload": {"threshold": 0.86, "origin": "calibrated", "labels": 520, "errors": 21},
        "load": 0.25,
        "ttl": 86_400.0,
        "false_hits": {"ratio": 0.015, "low": 0.005, "high": 0.032, "labels": 412},
        "benefit": {"seconds": 1234.5, "usd": 0.75, "verdict": "earning"},
        "paused": False,
        "policy": {
            "threshold": 0.97,
            "ttl": 86_400.0,
            "sliding": False,
            "quota": {"guaranteed": 0.1, "cap": 0.5},
            "priority": 1.0,
            "allow_caching": True,
            "delta": 0.03,
            "delta_overload": 0.03,
            "ttl_overload": 86_400.0,
            "safety_critical": False,
            "personalised": False,
            "examples": 1,
        },
    }


def test_the_reply_is_as_it_is_described() -> None:
    body = categories_json([category_view(), NOTHING_KNOWN])
    shown = CategoriesResult.model_validate_json(body, strict=True)
    # Nothing is left out, and nothing is there that the description does not have.
    assert shown.model_dump() == orjson.loads(body)
    assert set(PolicyShown.model_fields) == {f.name for f in fields(CategoryPolicy)} - {"name"}


def test_what_is_not_known_is_null() -> None:
    (one,) = orjson.loads(categories_json([NOTHING_KNOWN]))["categories"]
    assert one["hit_rate"] is one["threshold"] is one["false_hits"]["ratio"] is None
    assert one["benefit"] == {"seconds": None, "usd": None, "verdict": "unknown"}


@pytest.mark.parametrize(("lookups", "hits", "rate"), [(0, 0, None), (4, 1, 0.25)])
def test_the_hit_rate(lookups: int, hits: int, rate: float | None) -> None:
    assert replace(category_view(), lookups=lookups, hits=hits).hit_rate == rate


def _served(clock: Clock) -> Admin:
    source = SomeCategories((category_view("b"), category_view("a")))
    return admin_over(MemoryStore(clock, 1 << 20), clock, categories=source)


async def test_the_endpoint(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="cachemw.audit")
    reply = await _served(clock).call("GET", "/cache/categories")
    assert reply.status == 200
    assert [one["category"] for one in reply.json()["categories"]] == ["b", "a"]
    assert reply.header("cache-control") == "no-store"
    (line,) = [vars(record) for record in caplog.records]
    assert (line["operation"], line["outcome"]) == ("categories", "done")


async def test_it_needs_the_token(clock: Clock) -> None:
    admin = _served(clock)
    for token in (None, "wrong"):
        reply = await admin.call("GET", "/cache/categories", token=token)
        assert reply.status == 401
        assert "categories" not in reply.json()


async def test_a_service_without_categories(memory_admin: Admin) -> None:
    reply = await memory_admin.call("GET", "/cache/categories")
    assert (reply.status, reply.json()) == (200, {"categories": []})


async def test_it_is_described(memory_admin: Admin) -> None:
    path = memory_admin.app.openapi()["paths"]["/cache/categories"]["get"]
    assert path["operationId"] == "cache_categories"
    schema = path["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema["$ref"].endswith("CategoriesResult")
    assert path["security"]
