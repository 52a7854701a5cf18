"""The long actions of `cachemw entries`, with a progress bar where somebody watches."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from cachemw.admin.client import AdminClient

STANDARD = "-"
_CHUNK = 256 * 1024

Counts = dict[str, Any]


def purge(
    client: AdminClient, wanted: Mapping[str, Any], matched: int, err: Console
) -> dict[str, Any]:
    """Purge; returns the counts."""
    counts: dict[str, Any] = {}
    with _bar(err, MofNCompleteColumn()) as bar:
        task = bar.add_task("removing", total=matched)
        for counts in client.purge(wanted, dry_run=False):
            bar.update(task, completed=counts["removed"])
    return counts


def export(client: AdminClient, wanted: Mapping[str, Any], file: str, err: Console) -> int:
    """Write what matches; returns how many entries. A file appears whole or not at all."""
    total = None if wanted else client.stats()["entries"]
    count = 0
    with _bar(err, MofNCompleteColumn()) as bar, _output(file) as out:
        task = bar.add_task("exporting", total=total)
        for line in client.export(wanted):
            out.write(line + b"\n")
            count += 1
            if count % 64 == 0:
                bar.update(task, completed=count)
        bar.update(task, completed=count, total=count)
    return count


def load(file: str, err: Console, send: Callable[[Iterator[bytes]], Counts]) -> Counts:
    """Import a file with `send`; returns the counts."""
    with _input(file) as (source, total), _bar(err, DownloadColumn(), TransferSpeedColumn()) as bar:
        task = bar.add_task("importing", total=total)

        def chunks() -> Iterator[bytes]:
            while chunk := source.read(_CHUNK):
                yield chunk
                bar.advance(task, len(chunk))

        return send(chunks())


@contextmanager
def _output(file: str) -> Iterator[IO[bytes]]:
    """Yield where to write. Beside a file first: what stands there stays until the new is whole.

    Readable by its owner alone, since it holds prompts.
    """
    if file == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(file)
    with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as beside:
        try:
            yield beside.file
            beside.flush()
            os.fsync(beside.fileno())
            Path(beside.name).replace(target)
        except BaseException:
            Path(beside.name).unlink(missing_ok=True)
            raise


@contextmanager
def _input(file: str) -> Iterator[tuple[IO[bytes], int | None]]:
    """Yield what to read, and its size where that is known."""
    if file == STANDARD:
        yield sys.stdin.buffer, None
        return
    with Path(file).open("rb") as source:
        yield source, os.fstat(source.fileno()).st_size


def _bar(err: Console, *columns: ProgressColumn) -> Progress:
    text = TextColumn("{task.description}")
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(
        text,
        BarColumn(),
        *columns,
        *times,
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
