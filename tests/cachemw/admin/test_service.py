"""What the routes do not show: the order of things, and what happens when one of them fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from cachemw.admin.filters import EntryFilter
from cachemw.admin.imports import ImportStopped
from cachemw.admin.service import Imported, Purged
from cachemw.admin.wire import export_line
from cachemw.errors import StoreUnavailable
from cachemw.stores.base import Document, EntryInfo
from cachemw.stores.memory import MemoryStore
from tests.cachemw.admin.conftest import Admin, admin_over, document
from tests.support.service import Clock


class FailingStore(MemoryStore):
    """Fails where a test says so."""

    fails = ""

    async def put(self, document: Document) -> None:
        if self.fails == "put" and document.tenant == "bob":
            raise StoreUnavailable("full")
        await super().put(document)

    async def delete_many(self, keys: Sequence[bytes]) -> int:
        if self.fails == "delete":
            raise StoreUnavailable("gone")
        return await super().delete_many(keys)


@pytest.fixture
async def failing(clock: Clock) -> Admin:
    return admin_over(FailingStore(clock, 1 << 24), clock)


def _fail(admin: Admin, operation: str) -> None:
    assert isinstance(admin.store, FailingStore)
    admin.store.fails = operation


async def _lines(*documents: Document) -> AsyncIterator[tuple[int, bytes]]:
    for number, each in enumerate(documents, 1):
        yield number, export_line(each).strip()


async def test_memory_is_dropped_also_when_the_store_fails(failing: Admin) -> None:
    """Half of what was to go may be gone: it must not be served from memory."""
    await failing.put(document(1))
    _fail(failing, "delete")
    with pytest.raises(StoreUnavailable):
        await failing.entries.delete(document(1).key)
    assert failing.forgotten == [document(1).key]


async def test_an_answer_under_way_is_refused_from_the_first_moment_of_a_purge(
    memory_admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[bool] = []

    async def entries() -> AsyncIterator[list[EntryInfo]]:
        refused.append(memory_admin.fence.refuses(document(1), memory_admin.fence.began(1.0)))
        yield []

    monkeypatch.setattr(memory_admin.store, "entries", entries)
    wanted = EntryFilter(tenant="alice")
    await memory_admin.entries.purge(wanted, dry_run=True, so_far=Purged())
    await memory_admin.entries.purge(wanted, dry_run=False, so_far=Purged())
    assert refused == [False, True]


async def test_a_deleted_entry_is_refused_too(memory_admin: Admin) -> None:
    await memory_admin.entries.delete(document(1).key)
    began = memory_admin.fence.began(1.0)
    assert memory_admin.fence.refuses(document(1), began)
    assert not memory_admin.fence.refuses(document(2), began)


async def test_an_import_that_the_store_refuses_learns_nothing_of_that_batch(
    failing: Admin,
) -> None:
    _fail(failing, "put")
    done = Imported()
    lines = _lines(document(1), document(2, tenant="bob"), document(3))
    with pytest.raises(StoreUnavailable):
        await failing.entries.load(lines, done, keep_going=True)
    assert done.imported == 0
    assert not failing.learnt
    # Memory may hold older ones of those that the store took.
    assert len(failing.forgotten) == 3


async def test_the_last_of_two_lines_with_one_id_counts(memory_admin: Admin) -> None:
    done = Imported()
    lines = _lines(document(1, prompt="old"), document(1, prompt="new"))
    await memory_admin.entries.load(lines, done, keep_going=False)
    found = await memory_admin.store.get(document(1).key)
    assert found is not None
    assert found.prompt == "new"
    assert done.imported == 2


async def test_what_came_before_a_wrong_line_is_stored(memory_admin: Admin) -> None:
    async def lines() -> AsyncIterator[tuple[int, bytes]]:
        async for each in _lines(document(1)):
            yield each
        yield 2, b"nothing"

    done = Imported()
    with pytest.raises(ImportStopped) as caught:
        await memory_admin.entries.load(lines(), done, keep_going=False)
    assert caught.value.fault.line == 2
    assert (done.imported, done.refused) == (1, 1)
    assert await memory_admin.store.get(document(1).key) == document(1)
