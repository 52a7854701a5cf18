"""An import as a request: lines in, counts out, and a first fault as an error with its line."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from typing import Any

from cachemw.admin.lines import LineTooLong, numbered_lines
from cachemw.errors import BadRequest, CacheUnavailable, StoreUnavailable

_FAULTS_SHOWN = 20

#: Takes lines with their numbers, from 1.
Load = Callable[[AsyncGenerator[tuple[int, bytes], None]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one line of an import; lines count from 1."""

    line: int
    field: str
    message: str


@dataclass(slots=True)
class Counts:
    """How many lines were stored and how many refused, and the first faults."""

    imported: int = 0
    refused: int = 0
    faults: list[Fault] = field(default_factory=list)

    def refuse(self, fault: Fault) -> None:
        """Count a refused line."""
        self.refused += 1
        if len(self.faults) < _FAULTS_SHOWN:
            self.faults.append(fault)

    def so_far(self) -> str:
        """Say how far it came before it failed."""
        return f"Stored before that: {self.imported}."


class ImportStopped(Exception):
    """An import met a line that it could not take."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


async def import_lines(
    load: Load,
    body: AsyncIterator[bytes],
    max_line_bytes: int,
    done: Counts,
    told: dict[str, object],
) -> dict[str, Any]:
    """Have `load` store the lines of a body; returns what it counted in `done`.

    `told` takes the figures, also of an import that fails. After a failure the rest of the body is
    read and dropped: most clients look for the reply only when they have sent everything. Raises
    BadRequest, CacheUnavailable.
    """
    try:
        async with aclosing(numbered_lines(body, max_line_bytes)) as lines:
            await load(lines)
    except ImportStopped as stopped:
        await _drain(body)
        raise _refusal(stopped.fault, done) from None
    except LineTooLong as error:
        await _drain(body)
        raise _refusal(Fault(error.number, "", str(error)), done) from None
    except StoreUnavailable:
        await _drain(body)
        raise CacheUnavailable(f"The store failed. {done.so_far()}") from None
    finally:
        told.update({name: n for name, n in asdict(done).items() if name != "faults"})
    return asdict(done)


def _refusal(fault: Fault, done: Counts) -> BadRequest:
    where = f", field '{fault.field}'" if fault.field else ""
    message = f"Line {fault.line}{where}: {fault.message}. {done.so_far()}"
    return BadRequest(message, param=fault.field or None)


async def _drain(body: AsyncIterator[bytes]) -> None:
    async for _ in body:
        pass
