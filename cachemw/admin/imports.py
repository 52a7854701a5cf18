"""An import as a request: lines in, counts out, and a first fault as an error with its line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

from cachemw.admin.lines import LineTooLong, numbered_lines
from cachemw.admin.service import EntryAdmin, Fault, Imported, ImportStopped
from cachemw.errors import BadRequest, CacheUnavailable, StoreUnavailable


async def import_lines(
    entries: EntryAdmin,
    body: AsyncIterator[bytes],
    max_line_bytes: int,
    counts: dict[str, object],
    *,
    keep_going: bool,
) -> dict[str, Any]:
    """Store the lines of a body; `counts` takes the figures, also of an import that fails.

    After a failure the rest of the body is read and dropped: most clients look for the reply only
    when they have sent everything. Raises BadRequest, CacheUnavailable.
    """
    done = Imported()
    try:
        async with aclosing(numbered_lines(body, max_line_bytes)) as lines:
            await entries.load(lines, done, keep_going=keep_going)
    except ImportStopped as stopped:
        await _drain(body)
        raise _refusal(stopped.fault, done) from None
    except LineTooLong as error:
        await _drain(body)
        raise _refusal(Fault(error.number, "", str(error)), done) from None
    except StoreUnavailable:
        await _drain(body)
        raise CacheUnavailable(f"The store failed. {_so_far(done)}") from None
    finally:
        counts.update(imported=done.imported, expired=done.expired, refused=done.refused)
    return asdict(done)


def _refusal(fault: Fault, done: Imported) -> BadRequest:
    where = f", field '{fault.field}'" if fault.field else ""
    message = f"Line {fault.line}{where}: {fault.message}. {_so_far(done)}"
    return BadRequest(message, param=fault.field or None)


def _so_far(done: Imported) -> str:
    return f"Stored before that: {done.imported}."


async def _drain(body: AsyncIterator[bytes]) -> None:
    async for _ in body:
        pass
