"""Labels and served hits, on every store: one suite."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cachemw_policies.labels import Label, Source

from cachemw.errors import StoreUnavailable
from cachemw.stores.evidence import Evidence, EvidenceBounds, LabelBatch, Served

Open = Callable[..., Any]

NOW = 1_795_000_000.0
HIT = Served("chatcmpl-1", bytes(range(32)), "tenant", "faq", 0.9, "verifier-1", NOW)


def label(number: int) -> Label:
    source = list(Source)[number % len(Source)]
    score = (number % 1000) / 1000
    return Label(f"cat-{number % 3}", score, number % 2 == 0, source, "verifier-1", NOW + number)


def labels(count: int, start: int = 0) -> list[Label]:
    return [label(number) for number in range(start, start + count)]


def hit(number: int, **fields: Any) -> Served:
    return replace(HIT, answer_id=f"chatcmpl-{number}", score=(number % 100) / 100, **fields)


def bounds(**changed: Any) -> EvidenceBounds:
    return replace(EvidenceBounds(), **changed)


async def opened(open_store: Open, **changed: Any) -> Evidence:
    evidence: Evidence = (await open_store()).evidence(bounds(**changed))
    return evidence


async def follow(evidence: Evidence, cursor: str = "", limit: int = 1000) -> list[Label]:
    """Return all labels after the cursor, read in pieces of `limit`."""
    found: list[Label] = []
    while (batch := await evidence.labels(cursor, limit)).cursor != cursor:
        assert len(batch.labels) <= limit
        assert not batch.anew
        found += batch.labels
        cursor = batch.cursor
    assert batch == LabelBatch((), cursor)
    return found


async def test_labels_come_back_in_order(open_store: Open) -> None:
    evidence = await opened(open_store)
    assert await follow(evidence) == []
    await evidence.append(labels(5), b"a")
    await evidence.append([], b"nothing")
    await evidence.append(labels(600, 5), b"b")
    for limit in (1, 7, 604, 605, 606):
        assert await follow(evidence, limit=limit) == labels(605)


async def test_a_cursor_goes_on_where_it_was(open_store: Open) -> None:
    evidence = await opened(open_store)
    await evidence.append(labels(3), b"a")
    cursor = (await evidence.labels("", 2)).cursor
    await evidence.append(labels(2, 3), b"b")
    assert await follow(evidence, cursor) == labels(3, 2)
    assert await follow(evidence, (await evidence.labels(cursor, 10)).cursor) == []


async def test_a_batch_is_written_once(open_store: Open) -> None:
    evidence = await opened(open_store)
    await evidence.append(labels(3), b"a" * 64)
    await evidence.append(labels(3), b"a" * 64)
    await evidence.append(labels(3), b"b")
    assert await follow(evidence) == labels(3) * 2


async def test_the_newest_labels_are_kept(open_store: Open) -> None:
    evidence = await opened(open_store, labels=300)
    first = await evidence.labels("", 10)
    await evidence.append(labels(100), b"first")
    early = (await evidence.labels(first.cursor, 10)).cursor
    for start in range(100, 1500, 100):
        await evidence.append(labels(100, start), b"%d" % start)
    kept = await follow(evidence)
    # Redis forgets whole nodes of its stream, and before it adds.
    assert 300 <= len(kept) <= 600
    assert kept == labels(1500)[-len(kept) :]
    # What points before the oldest leads on with the oldest.
    assert await follow(evidence, early) == kept


async def test_strange_cursors_are_the_beginning(open_store: Open) -> None:
    evidence = await opened(open_store)
    await evidence.append(labels(3), b"a")
    end = (await evidence.labels("", 10)).cursor
    strange = [":", "x" * 5000, "\x00", "ü:1", "-1", f"x{end}", f"{end}x", f"{end} ", f"{end}\n"]
    strange += ["9" * 18, f"{'0' * 32}:1", f"{end}:{end}", f"{2**64 - 1}-0", f"{2**64}-0"]
    for cursor in strange:
        assert await evidence.labels(cursor, 2) == LabelBatch(
            tuple(labels(2)), (await evidence.labels("", 2)).cursor, anew=True
        ), cursor


async def test_a_hit_is_taken_once(open_store: Open) -> None:
    evidence = await opened(open_store)
    await evidence.remember([hit(1), hit(2)])
    assert await evidence.take("chatcmpl-1", "tenant") == hit(1)
    assert await evidence.take("chatcmpl-1", "tenant") is None
    assert await evidence.take("chatcmpl-3", "tenant") is None
    assert await evidence.take("chatcmpl-2", "tenant") == hit(2)


async def test_another_tenants_hit_is_unknown_and_stays(open_store: Open) -> None:
    evidence = await opened(open_store)
    await evidence.remember([hit(1)])
    for tenant in ("", "other", "tenant2", "tenan"):
        assert await evidence.take("chatcmpl-1", tenant) is None
    assert await evidence.take("chatcmpl-1", "tenant") == hit(1)


async def test_one_id_of_two_tenants_is_two_hits(open_store: Open) -> None:
    evidence = await opened(open_store)
    await evidence.remember([hit(1), hit(1, tenant="other")])
    assert await evidence.take("chatcmpl-1", "other") == hit(1, tenant="other")
    assert await evidence.take("chatcmpl-1", "tenant") == hit(1)


async def test_the_last_hit_of_an_id_counts(open_store: Open) -> None:
    evidence = await opened(open_store)
    await evidence.remember([hit(1)])
    later = replace(hit(1), category="later")
    await evidence.remember([later])
    assert await evidence.take("chatcmpl-1", "tenant") == later
    assert await evidence.take("chatcmpl-1", "tenant") is None


async def test_a_hit_is_known_for_its_time(open_store: Open, clock: Any) -> None:
    evidence = await opened(open_store, seconds=100.0)
    await evidence.remember([hit(1), hit(2)])
    clock.now += 99.9
    assert await evidence.take("chatcmpl-1", "tenant") == hit(1)
    clock.now += 0.1
    assert await evidence.take("chatcmpl-2", "tenant") is None


async def test_many_hits_at_once(open_store: Open) -> None:
    evidence = await opened(open_store)
    hits = [hit(number) for number in range(1000)]
    await evidence.remember(hits)
    await evidence.remember([])
    taken = await asyncio.gather(*(evidence.take(one.answer_id, "tenant") for one in hits))
    assert list(taken) == hits


async def test_any_text_comes_back(open_store: Open) -> None:
    evidence = await opened(open_store)
    strange = Served("ü\x00'--", b"", "t\n", "日本語", 0.0, "", -1e9)
    await evidence.remember([strange])
    assert await evidence.take("ü\x00'--", "t\n") is None  # long over
    strange = replace(strange, at=NOW)
    await evidence.remember([strange])
    assert await evidence.take("ü\x00'--", "t\n") == strange
    odd = Label("日本語\x00", 1.0, True, Source.OFFLINE, "", 0.1 + 0.2)
    await evidence.append([odd], b"\x00")
    assert await follow(evidence) == [odd]


async def test_what_is_not_there_before_the_end_is_not_skipped(open_store: Open) -> None:
    """Whoever polls while others write sees each label once."""
    evidence = await opened(open_store)
    seen: list[Label] = []
    cursor = ""

    async def write(part: int) -> None:
        for number in range(20):
            await evidence.append([label(part * 20 + number)], b"%d-%d" % (part, number))

    writers = [asyncio.create_task(write(part)) for part in range(4)]
    while len(seen) < 80:
        batch = await evidence.labels(cursor, 7)
        seen += batch.labels
        cursor = batch.cursor
        await asyncio.sleep(0)
    await asyncio.gather(*writers)
    assert sorted(seen, key=lambda each: each.at) == labels(80)
    assert await follow(evidence) == seen


async def test_of_two_processes_one_takes_a_hit(open_durable: Open) -> None:
    one, two = await opened(open_durable), await opened(open_durable)
    hits = [hit(number) for number in range(100)]
    await one.remember(hits[:50])
    await two.remember(hits[50:])
    asked = [e.take(each.answer_id, "tenant") for each in hits for e in (one, two, one)]
    answers = await asyncio.gather(*asked)
    assert [answer for answer in answers if answer is not None] == hits


async def test_two_processes_read_the_same_log(open_durable: Open) -> None:
    one, two = await opened(open_durable), await opened(open_durable)
    await asyncio.gather(
        *((one, two)[n % 2].append(labels(3, 3 * n), b"%d" % n) for n in range(20))
    )
    await two.append(labels(3), b"0")  # whoever writes it again
    found = await follow(one)
    assert sorted(found, key=lambda each: each.at) == labels(60)
    assert await follow(two, limit=7) == found


async def test_evidence_outlives_the_process(open_durable: Open) -> None:
    store = await open_durable()
    evidence = store.evidence(bounds())
    await evidence.append(labels(5), b"a")
    await evidence.remember([hit(1)])
    cursor = (await evidence.labels("", 2)).cursor
    await store.aclose()
    again = await opened(open_durable)
    assert await follow(again, cursor) == labels(3, 2)
    assert await follow(again) == labels(5)
    assert await again.take("chatcmpl-1", "tenant") == hit(1)


async def test_a_closed_store_is_unavailable(open_durable: Open) -> None:
    store = await open_durable()
    evidence = store.evidence(bounds())
    await store.aclose()
    for call in (
        evidence.append(labels(1), b"a"),
        evidence.labels("", 1),
        evidence.remember([hit(1)]),
        evidence.take("chatcmpl-1", "tenant"),
    ):
        with pytest.raises(StoreUnavailable):
            await call


async def test_documents_and_evidence_do_not_meet(
    open_store: Open, make_document: Callable[..., Any]
) -> None:
    store = await open_store()
    evidence = store.evidence(bounds())
    start = await store.newest()
    await evidence.append(labels(10), b"a")
    await evidence.remember([hit(1)])
    assert (await store.stats()).entries == 0
    assert [entry async for entry in store.entries()] == []
    assert await store.newest() == start
    await store.put(make_document(1))
    await store.delete(make_document(1).key)
    assert await follow(evidence) == labels(10)
    assert await evidence.take("chatcmpl-1", "tenant") == hit(1)


@pytest.mark.parametrize("wrong", [{"labels": 0}, {"served": -1}, {"seconds": 0.0}])
def test_bounds_are_positive(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        bounds(**wrong)
