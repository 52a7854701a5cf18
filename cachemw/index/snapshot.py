"""The whole index in a folder, from which a start is quick."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cachemw.index.partitions import IndexSettings, PartitionedIndex


@dataclass(frozen=True, slots=True)
class Restored:
    """An index as it was saved, and the change log's cursor up to which it holds all changes."""

    index: PartitionedIndex
    cursor: str


def save(index: PartitionedIndex, folder: Path, fingerprint: str, cursor: str) -> None:
    """Replace the snapshot in `folder`, all at once; OSError where that is not possible.

    Holds the interpreter's lock for as long as it takes to write: for a process of its own.
    """


def load(
    folder: Path, fingerprint: str, dimension: int, settings: IndexSettings
) -> Restored | None:
    """Return what `save` left there; None where there is nothing that can be used."""
    return None
