"""An import as a request; what it does to entries and labels is in their tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cachemw.admin.imports import Counts, Fault, ImportStopped, import_lines
from cachemw.errors import BadRequest, CacheUnavailable, HttpError, StoreUnavailable


async def test_what_is_counted_is_told_and_returned() -> None:
    done = Counts()
    told: dict[str, object] = {}

    async def load(lines: AsyncIterator[tuple[int, bytes]]) -> None:
        async for number, line in lines:
            if line == b"bad":
                done.refuse(Fault(number, "x", "is bad"))
            else:
                done.imported += 1

    result = await import_lines(load, _body(b"a\nb", b"ad\nc"), 10, done, told)
    assert (result["imported"], result["refused"]) == (2, 1)
    assert result["faults"] == [{"line": 2, "field": "x", "message": "is bad"}]
    # What is wrong with a line may be said to who sent it, and is not logged.
    assert told == {"imported": 2, "refused": 1}


@pytest.mark.parametrize(
    ("failure", "kind", "said"),
    [
        (ImportStopped(Fault(3, "x", "is bad")), BadRequest, "Line 3, field 'x': is bad. Stored"),
        (StoreUnavailable("x"), CacheUnavailable, "The store failed. Stored before that: 7."),
    ],
)
async def test_a_failure_comes_after_all_was_read(
    failure: Exception, kind: type[HttpError], said: str
) -> None:
    done, body = Counts(imported=7), _body(b"a\n", b"b\n", b"c\n")
    told: dict[str, object] = {}

    async def load(lines: AsyncIterator[tuple[int, bytes]]) -> None:
        await anext(lines)
        raise failure

    with pytest.raises(kind, match=said):
        await import_lines(load, body, 10, done, told)
    assert told["imported"] == 7
    assert [chunk async for chunk in body] == []


async def _body(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
