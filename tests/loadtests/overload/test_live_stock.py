"""What the service's store is filled with."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import orjson
import pytest
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.labels import Label, Source
from cachemw_policies.policy_file import parse_policy

from cachemw.stores.base import Document, Embedded
from loadtests.overload.live_plan import CATEGORY, Plan
from loadtests.overload.live_stock import (
    Template,
    documents,
    fill,
    only_document,
    pair_of,
    policy_file,
)
from loadtests.overload.scores import Scored
from loadtests.overload.traffic import NOTHING_NEAR, Arrival
from loadtests.overload.upstream import Capacity

POLICY = CategoryPolicy(CATEGORY, ttl=100.0, ttl_overload=400.0, delta=0.05, delta_overload=0.15)
VECTORS = np.eye(3, dtype=np.float32)
ANSWER = {"choices": [{"message": {"content": "?"}, "finish_reason": "stop"}]}
EMBEDDED = Embedded(b"p" * 32, "f" * 16, VECTORS[0])
TEMPLATE = Template(
    Document(b"k" * 32, "t", "chat", "m", 0.0, 1.0, "?", orjson.dumps(ANSWER), 0.0, 3, 4),
    EMBEDDED,
)


def plan(*ages: float) -> Plan:
    count = len(ages)
    coming = [Arrival(n, 10, 20, n, age) for n, age in enumerate(ages)]
    coming.append(Arrival(count, 10, 20, NOTHING_NEAR, 1.0))
    asked = Scored(np.arange(count), np.ones(count), np.ones(count, dtype=np.bool_))
    stored = [f"stored {n}" for n in range(count)]
    return Plan(coming, asked, ["asked"] * (count + 1), stored, Capacity())


def test_answers_are_as_old_as_planned_and_expired_ones_are_left_out() -> None:
    began = time.time()
    found = list(documents(plan(50.0, 200.0, 500.0), VECTORS, TEMPLATE, POLICY, began))
    assert [one.prompt for one in found] == ["stored 0", "stored 1"]
    assert [began + n - one.created_at for n, one in enumerate(found)] == pytest.approx([50, 200])
    assert [one.expires_at - one.created_at for one in found] == pytest.approx([400, 400])
    assert len({one.key for one in found}) == 2
    for number, one in enumerate(found):
        content = orjson.loads(one.body)["choices"][0]["message"]["content"]
        assert pair_of(content) == number
        assert one.embedded is not None
        assert one.embedded.vector.tolist() == VECTORS[number].tolist()
        assert one.embedded.partition == EMBEDDED.partition
        assert one.category == CATEGORY
        assert one.upstream_seconds == Capacity().answer_s(10, 20)


def test_a_fresh_answer_is_nobodys() -> None:
    assert pair_of("Answer 0123 amber basin") is None


async def test_a_filled_store_can_be_read_and_the_template_is_its_only_document(
    tmp_path: Path,
) -> None:
    path = tmp_path / "answers.sqlite3"
    label = Label(CATEGORY, 0.9, True, Source.OFFLINE, "scale", 1.0)
    filled = documents(plan(50.0), VECTORS, TEMPLATE, POLICY, time.time())
    assert await fill(path, filled, [label]) == 1
    found = await only_document(path)
    assert found.document.prompt == "stored 0"
    assert found.embedded.fingerprint == EMBEDDED.fingerprint
    await fill(path, documents(plan(50.0, 60.0), VECTORS, TEMPLATE, POLICY, time.time()), [])
    with pytest.raises(LookupError, match="2 documents"):
        await only_document(path)


def test_the_policy_file_says_what_the_policy_does(tmp_path: Path) -> None:
    policy_file(tmp_path / "p.yaml", POLICY)
    read = parse_policy((tmp_path / "p.yaml").read_text()).of(CATEGORY)
    for name in ("ttl", "ttl_overload", "delta", "delta_overload"):
        assert getattr(read, name) == getattr(POLICY, name)
