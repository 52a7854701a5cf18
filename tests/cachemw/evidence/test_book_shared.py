"""Label books of several processes: one order for all, whatever happens in between."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from cachemw.stores.evidence import EvidenceBounds
from cachemw.stores.memory_evidence import MemoryEvidence
from cachemw.stores.settings import StoreSettings
from cachemw.stores.table import make_store
from tests.cachemw.evidence.books import NOW, Process, Shared, hit, label

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["judge", "flush", "follow", "step", "both"]),
        st.integers(0, 1),
        st.sampled_from(["", "", "before", "after"]),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(STEPS)
def test_any_interleaving_ends_with_the_same_in_both(
    steps: list[tuple[str, int, str]],
) -> None:
    async def run() -> None:
        shared = Shared(MemoryEvidence(lambda: NOW, EvidenceBounds()))
        processes = [Process(shared), Process(shared)]
        judged = 0
        for step, number, fault in steps:
            book = processes[number].book
            if step == "judge":
                book.judge(label(judged))
                judged += 1
                continue
            shared.faults = [fault]
            if step == "both":
                await asyncio.gather(*(process.book.step() for process in processes))
            else:
                await getattr(book, step)()
        shared.faults = []
        for process in processes * 2:
            await process.book.step()
        one, two = processes
        assert one.seen == two.seen
        assert sorted(each.at for each in one.seen) == list(range(judged))
        late = Process(shared)
        await late.book.follow()
        assert late.seen == one.seen

    asyncio.run(run())


async def test_two_processes_on_one_file_end_with_the_same(tmp_path: Path) -> None:
    made = StoreSettings(path=tmp_path / "s.sqlite3", timeout_s=30.0, write_timeout_s=30.0)
    stores = [make_store(made, lambda: NOW, lambda _: None) for _ in range(2)]
    for store in stores:
        await store.start()
    processes = [Process(store.evidence(EvidenceBounds())) for store in stores]

    async def work(process: Process, first: int) -> None:
        for number in range(first, first + 60):
            process.book.judge(label(number))
            process.book.served(hit(number))
            if number % 3 == 0:
                await process.book.step()

    await asyncio.gather(work(processes[0], 0), work(processes[1], 60))
    for process in processes * 2:
        await process.book.step()
    assert processes[0].seen == processes[1].seen
    assert sorted(each.at for each in processes[0].seen) == list(range(120))
    taken = [await processes[1].book.take(hit(number).answer_id, "tenant") for number in (3, 119)]
    assert taken == [hit(3), hit(119)]
    for store in stores:
        await store.aclose()
    again = make_store(made, lambda: NOW, lambda _: None)
    await again.start()
    restarted = Process(again.evidence(EvidenceBounds()))
    await restarted.book.follow()
    assert restarted.seen == processes[0].seen
    await again.aclose()
