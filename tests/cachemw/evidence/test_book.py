"""The label book: queues that lose and double nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from cachemw_policies.labels import Label

from cachemw.errors import StoreUnavailable
from cachemw.evidence.book import BookLimits
from cachemw.stores.evidence import EvidenceBounds
from cachemw.stores.memory_evidence import MemoryEvidence
from tests.cachemw.evidence.books import NOW, Process, Shared, hit, label


@pytest.fixture
def shared() -> Shared:
    return Shared(MemoryEvidence(lambda: NOW, EvidenceBounds()))


async def test_a_label_comes_back_through_the_store(shared: Shared) -> None:
    one, two = Process(shared), Process(shared)
    one.book.judge(label(1))
    await one.book.follow()
    await two.book.step()
    assert one.seen == two.seen == []
    await one.book.step()
    await two.book.step()
    assert one.seen == two.seen == [label(1)]
    await one.book.step()
    assert one.seen == [label(1)]


async def test_a_new_process_reads_all_that_is_kept_in_turns(shared: Shared) -> None:
    await shared.inner.append([label(number) for number in range(1000)], b"a")
    process = Process(shared, BookLimits(read=600))
    assert not process.book.caught_up
    await process.book.follow()
    assert len(process.seen) == 768
    assert not process.book.caught_up
    await process.book.follow()
    assert process.seen == [label(number) for number in range(1000)]
    assert process.book.caught_up


async def test_what_is_written_at_once_needs_no_room_and_fails_aloud(shared: Shared) -> None:
    process = Process(shared, BookLimits(labels=1))
    process.book.judge(label(0))
    many = [label(number) for number in range(1, 300)]
    shared.faults = ["after"]
    with pytest.raises(StoreUnavailable):
        await process.book.write(many, b"file")
    assert process.changes[-1:] == [False]
    await process.book.write(many, b"file")
    assert process.changes[-1:] == [True]
    await process.book.step()
    assert process.seen == [*many, label(0)]
    assert process.dropped == []


async def test_a_full_queue_drops_and_counts(shared: Shared) -> None:
    process = Process(shared, BookLimits(labels=3, hits=2))
    shared.faults = ["before", "before"]
    for number in range(2):
        process.book.judge(label(number))
    process.book.served(hit(1))
    await process.book.flush()  # fails: what is on its way counts too
    for number in range(2, 5):
        process.book.judge(label(number))
        process.book.served(hit(number))
    assert process.dropped == ["label", "hit", "label", "hit"]
    assert process.book.waiting == 5
    await process.book.step()
    assert process.seen == [label(number) for number in range(3)]
    assert process.book.waiting == 0
    process.book.judge(label(5))
    assert len(process.dropped) == 4


@pytest.mark.parametrize("score", [float("nan"), -0.001, 1.001, float("inf")])
async def test_what_is_no_score_is_no_label(shared: Shared, score: float) -> None:
    process = Process(shared)
    process.book.judge(replace(label(1), score=score))
    assert process.dropped == ["label"]
    assert process.book.waiting == 0


async def test_a_failure_is_one_change_of_state_and_loses_nothing(shared: Shared) -> None:
    process = Process(shared)
    await process.book.step()
    assert process.changes == [True]
    for number in range(600):
        process.book.judge(label(number))
        process.book.served(hit(number))
    shared.faults = ["before"] * 9
    for _ in range(3):
        await process.book.step()
    assert process.changes == [True, False]
    assert process.seen == []
    assert process.book.waiting == 1200
    await process.book.step()
    assert process.seen == [label(number) for number in range(600)]
    assert process.changes == [True, False, True]
    assert await shared.inner.take("chatcmpl-599", "tenant") == hit(599)


async def test_a_write_whose_outcome_is_not_known_counts_once(shared: Shared) -> None:
    process = Process(shared)
    process.book.judge(label(1))
    shared.faults = ["after"]
    await process.book.flush()
    process.book.judge(label(2))
    await process.book.step()
    assert process.seen == [label(1), label(2)]


async def test_a_cancelled_write_is_made_again(shared: Shared) -> None:
    process = Process(shared)
    process.book.judge(label(1))
    process.book.served(hit(1))
    for held in ("append", "remember"):
        shared.gates = {held: asyncio.Event()}
        task = asyncio.create_task(process.book.flush())
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(outcome, asyncio.CancelledError)
    shared.gates = {}
    await process.book.step()
    assert process.seen == [label(1)]
    assert await process.book.take("chatcmpl-1", "tenant") == hit(1)


async def test_a_store_that_begins_anew_is_read_from_its_beginning(shared: Shared) -> None:
    process = Process(shared)
    for number in range(3):
        process.book.judge(label(number))
    await process.book.step()
    assert process.book.caught_up
    shared.inner = MemoryEvidence(lambda: NOW, EvidenceBounds())
    await shared.inner.append([label(7)], b"a")
    await process.book.follow()
    assert process.seen == [label(7)]
    assert process.book.caught_up


async def test_an_error_in_what_is_called_doubles_nothing(shared: Shared) -> None:
    seen: list[Label] = []

    def on_label(each: Label) -> None:
        seen.append(each)
        if len(seen) == 2:
            raise ZeroDivisionError

    process = Process(shared)
    process.book._on_label = on_label
    await shared.inner.append([label(number) for number in range(3)], b"a")
    with pytest.raises(ZeroDivisionError):
        await process.book.follow()
    await process.book.follow()
    assert seen == [label(0), label(1)]


async def test_a_hit_can_be_judged_before_it_is_written(shared: Shared) -> None:
    one, two = Process(shared), Process(shared)
    one.book.served(hit(1))
    assert await one.book.take("chatcmpl-1", "other") is None
    assert await two.book.take("chatcmpl-1", "tenant") is None
    assert await one.book.take("chatcmpl-1", "tenant") == hit(1)
    await one.book.flush()
    assert await two.book.take("chatcmpl-1", "tenant") is None


async def test_a_hit_on_its_way_is_taken_once(shared: Shared) -> None:
    process = Process(shared)
    for fault in ("", "before"):
        process.book.served(hit(1))
        gate = shared.gates["remember"] = asyncio.Event()
        flush = asyncio.create_task(process.book.flush())
        await asyncio.sleep(0)
        takes = [asyncio.create_task(process.book.take("chatcmpl-1", "tenant")) for _ in range(3)]
        await asyncio.sleep(0)
        shared.faults = [fault]
        gate.set()
        await flush
        taken = await asyncio.gather(*takes)
        assert sorted(map(str, taken)) == sorted(map(str, [hit(1), None, None]))


async def test_taking_from_a_store_that_is_away(shared: Shared) -> None:
    process = Process(shared)
    shared.faults = ["before"]
    with pytest.raises(StoreUnavailable):
        await process.book.take("chatcmpl-1", "tenant")
    assert process.changes == [False]
