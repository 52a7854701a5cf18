"""`POST /cache/labels`: what is taken, what is refused, and that nothing is counted twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.guarantee import Pool, state_of
from cachemw_policies.labels import Label, Source
from cachemw_policies.thresholds import CALIBRATED, GuaranteeSettings

from cachemw.admin.labels import MAX_LABELS, MAX_LINE_BYTES, LabelCounts, LabelImports, LabelLine
from cachemw.admin.models import LabelsResult
from cachemw.calibrate.label_lines import write_labels
from cachemw.errors import StoreUnavailable
from cachemw.stores.evidence import Evidence
from cachemw.stores.memory_evidence import MemoryEvidence
from tests.cachemw.admin.conftest import Admin, InForce, admin_over

PATH = "/cache/labels"


def label(number: int = 0, **fields: Any) -> Label:
    """Return a label as `cachemw calibrate` makes it."""
    made = Label("code", number % 100 / 100, True, Source.OFFLINE, "verifier-1", 1_000_000.0)
    return replace(made, **fields)


def body(*labels: Label) -> bytes:
    return b"".join(orjson.dumps(asdict(one)) + b"\n" for one in labels)


async def written(admin: Admin) -> list[Label]:
    """Return all labels that the store has, in its order."""
    found: list[Label] = []
    cursor = ""
    while (batch := await admin.evidence.labels(cursor, 500)).cursor != cursor:
        found += batch.labels
        cursor = batch.cursor
    return found


async def test_what_calibrate_writes_is_learnt_in_its_order(admin: Admin, tmp_path: Path) -> None:
    made = [label(n, right=n % 3 > 0) for n in range(600)]
    path = tmp_path / "labels.jsonl"
    write_labels(path, iter(made))
    reply = await admin.call("POST", PATH, path.read_bytes())
    assert reply.json() == {
        "imported": 600,
        "refused": 0,
        "faults": [],
        "dry_run": False,
        "scale": "verifier-1",
        "other_scale": 0,
    }
    assert set(reply.json()) == set(LabelsResult.model_fields)
    assert await written(admin) == made


def test_all_fields_of_a_label_are_described() -> None:
    assert set(LabelLine.model_fields) == set(asdict(label()))


async def test_they_prove_a_threshold(memory_admin: Admin) -> None:
    made = [label(score=0.98, right=n % 100 > 0) for n in range(500)]
    await memory_admin.call("POST", PATH, body(*made))
    settings = GuaranteeSettings()
    pool = Pool(settings)
    pool.add(await written(memory_admin))
    bar = state_of(pool, CategoryPolicy("code", delta=0.05, delta_overload=0.05), settings).normal
    assert (bar.origin, bar.labels) == (CALIBRATED, 500)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"score": 1.01}, "score"),
        ({"score": -0.01}, "score"),
        ({"score": "0.5"}, "score"),
        ({"score": None}, "score"),  # as orjson writes NaN
        ({"right": 1}, "right"),
        ({"source": "shadow"}, "source"),
        ({"source": "feedback"}, "source"),
        ({"scale": ""}, "scale"),
        ({"scale": "x" * 257}, "scale"),
        ({"at": -1}, "at"),
        ({"at": 1e12}, "at"),
        ({"weight": 0.5}, "weight"),
        ({"weight": 2}, "weight"),
        ({"category": "cod"}, "category"),
        ({"category": ""}, "category"),
        ({"more": 1}, ""),
    ],
)
async def test_a_wrong_line_is_named(
    memory_admin: Admin, fields: dict[str, Any], field: str
) -> None:
    wrong = orjson.dumps({**asdict(label()), **fields})
    reply = await memory_admin.call("POST", PATH, body(label(1)) + b"\n" + wrong)
    error = reply.json()["error"]
    assert (reply.status, error["param"]) == (400, field or None)
    where = f"Line 3, field '{field}': " if field else "Line 3: "
    assert error["message"].startswith(where)
    assert "more" not in error["message"]
    # A batch is written whole or not at all.
    assert error["message"].endswith("Stored before that: 0.")
    assert await written(memory_admin) == []


@pytest.mark.parametrize("name", sorted(set(LabelLine.model_fields) - {"weight"}))
async def test_every_field_has_to_be_there(memory_admin: Admin, name: str) -> None:
    line = asdict(label())
    del line[name]
    reply = await memory_admin.call("POST", PATH, orjson.dumps(line))
    assert reply.json()["error"]["message"].startswith(f"Line 1, field '{name}': Field required")


async def test_wrong_lines_can_be_skipped(memory_admin: Admin) -> None:
    sent = body(label(1), label(category="gone")) + b"nothing\n" * 30 + body(label(2))
    reply = await memory_admin.call("POST", PATH, sent, query="keep_going=true")
    counts = reply.json()
    assert (counts["imported"], counts["refused"], len(counts["faults"])) == (2, 31, 20)
    assert counts["faults"][0] == {
        "line": 2,
        "field": "category",
        "message": "not one of code, default",
    }
    assert await written(memory_admin) == [label(1), label(2)]


async def test_a_dry_run_counts_and_writes_nothing(memory_admin: Admin) -> None:
    sent = body(*(label(n) for n in range(300)))
    reply = await memory_admin.call("POST", PATH, sent, query="dry_run=true")
    assert (reply.json()["imported"], reply.json()["dry_run"]) == (300, True)
    reply = await memory_admin.call("POST", PATH, sent + b"{}", query="dry_run=true")
    assert reply.json()["error"]["message"].endswith("Nothing is stored.")
    assert await written(memory_admin) == []


@pytest.mark.parametrize(("scale", "other"), [("verifier-1", 2), ("verifier-2", 1), ("", 0)])
async def test_labels_of_another_verifier_are_counted_and_kept(
    memory_admin: Admin, scale: str, other: int
) -> None:
    memory_admin.in_force.scale = scale
    made = [label(1), label(2, scale="verifier-2"), label(3, scale="verifier-2")]
    counts = (await memory_admin.call("POST", PATH, body(*made))).json()
    assert (counts["scale"], counts["other_scale"]) == (scale or None, other)
    assert counts["imported"] == 3
    assert await written(memory_admin) == made


async def test_there_is_a_limit(memory_admin: Admin) -> None:
    sent = body(*(label(n) for n in range(MAX_LABELS)))
    assert (await memory_admin.call("POST", PATH, sent)).json()["imported"] == MAX_LABELS
    more = sent + body(label())
    reply = await memory_admin.call("POST", PATH, more, query="keep_going=true&dry_run=true")
    assert f"Line {MAX_LABELS + 1}: over the limit" in reply.json()["error"]["message"]
    reply = await memory_admin.call("POST", PATH, b"[" * (MAX_LINE_BYTES + 1))
    assert f"over the limit of {MAX_LINE_BYTES} bytes" in reply.json()["error"]["message"]


class Log:
    """Knows batches by their names, as a store does, and fails as a test says."""

    def __init__(self) -> None:
        self.batches: dict[bytes, tuple[Label, ...]] = {}
        self.fails_after = 99

    async def append(self, labels: Sequence[Label], name: bytes) -> None:
        assert len(name) <= 64
        if len(self.batches) >= self.fails_after:
            raise StoreUnavailable
        self.batches.setdefault(name, tuple(labels))

    @property
    def labels(self) -> list[Label]:
        return [one for batch in self.batches.values() for one in batch]


async def _load(log: Log, lines: Sequence[bytes]) -> LabelCounts:
    imports = LabelImports(log.append, InForce())
    counts = imports.counts(dry_run=False)

    async def numbered() -> Any:
        for pair in enumerate(lines, 1):
            yield pair

    await imports.load(numbered(), counts, keep_going=False)
    return counts


async def test_the_same_file_again_doubles_nothing() -> None:
    log, made = Log(), [label(n % 2) for n in range(700)]
    lines = body(*made).splitlines()
    log.fails_after = 2
    with pytest.raises(StoreUnavailable):
        await _load(log, lines)
    log.fails_after = 99
    assert (await _load(log, lines)).imported == 700
    assert log.labels == made
    # Batches of one content within a file are several all the same.
    assert len({batch[:2] for batch in log.batches.values()}) == 1
    assert len(log.batches) == 3


async def test_others_are_served_meanwhile(memory_admin: Admin) -> None:
    """Lines that are refused take time too, and nothing is written between them."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await memory_admin.call("POST", PATH, b"nothing\n" * 6400, query="keep_going=true")
    counting.cancel()
    assert turns >= 100


async def test_a_store_that_fails_is_told(
    memory_admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(self: Evidence, labels: Sequence[Label], batch: bytes) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(MemoryEvidence, "append", fails)
    failing = admin_over(memory_admin.store, memory_admin.clock)
    reply = await failing.call("POST", PATH, body(label()))
    assert reply.status == 503
    assert "Stored before that: 0." in reply.json()["error"]["message"]


async def test_the_audit_log(memory_admin: Admin, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="cachemw.audit")
    await memory_admin.call("POST", PATH, body(label(scale="verifier-2")))
    await memory_admin.call("POST", PATH, b"{}", query="dry_run=true")
    done, failed = (vars(record) for record in caplog.records)
    assert (done["operation"], done["outcome"]) == ("import labels", "done")
    assert (done["imported"], done["other_scale"], done["dry_run"]) == (1, 1, False)
    assert (failed["outcome"], failed["refused"], failed["dry_run"]) == ("failed", 1, True)
