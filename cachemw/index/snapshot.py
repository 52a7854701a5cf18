"""The whole index in a folder, from which a start is quick.

What is written: for every entry its key, expiry, age and place; the vectors of scans; hnswlib's own
file of every graph. Tombstones stay in graphs until these are built anew; nothing leads to them. A
snapshot is of one embedder (`fingerprint`), one dimension and one layout, and is not read as
another.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cachemw.index.flat import FlatIndex
from cachemw.index.hnsw import EF_CONSTRUCTION, LIBRARY, HnswIndex, M
from cachemw.index.partitions import IndexSettings, PartitionedIndex
from cachemw.index.segment import Index
from cachemw.index.snapshot_files import in_force, publish, verified
from cachemw.index.snapshot_tables import Row, Tables, read_tables, write_tables

log = logging.getLogger("cachemw.index")

_LAYOUT = 2
_TABLES = "tables.npz"
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Restored:
    """An index as it was saved, and the change log's cursor up to which it holds all changes."""

    index: PartitionedIndex
    cursor: str


def save(index: PartitionedIndex, folder: Path, fingerprint: str, cursor: str) -> None:
    """Replace the snapshot in `folder`, all at once; OSError where that is not possible.

    Wait for `index.settled()` before, and let nothing else use the index meanwhile. Holds the
    interpreter's lock for as long as it takes to write: it is for a process of its own.
    """
    header = {**_header(index.dimension, fingerprint), "cursor": cursor}
    publish(folder, header, lambda new: _write(index, new))


def load(
    folder: Path, fingerprint: str, dimension: int, settings: IndexSettings
) -> Restored | None:
    """Return what `save` left there; None where there is nothing that can be used.

    What has expired since is still in it, and what was changed since `cursor` is not.
    """
    for _ in range(_TRIES):
        before = in_force(folder)
        try:
            return _load(folder, _header(dimension, fingerprint), settings)
        except Exception as error:  # noqa: BLE001 - whatever a file or a library comes up with
            if in_force(folder) == before:
                reason = f"{type(error).__name__} {error}"
                log.warning("snapshot of the index not used", extra={"reason": reason})
                return None
            # It was replaced while it was read.
    return None


def _header(dimension: int, fingerprint: str) -> dict[str, object]:
    """Return what must be the same for a snapshot to be read."""
    return {
        "layout": _LAYOUT,
        "library": LIBRARY,
        "graph": [M, EF_CONSTRUCTION],
        "byteorder": sys.byteorder,
        "dimension": dimension,
        "fingerprint": fingerprint,
    }


def _load(folder: Path, expected: dict[str, object], settings: IndexSettings) -> Restored | None:
    found = verified(folder)
    if found is None:
        return None
    path, header = found
    cursor = str(header.pop("cursor"))
    if header != expected:
        differs = sorted(name for name in expected if header.get(name) != expected[name])
        log.warning("snapshot of the index not used", extra={"reason": f"other {differs}"})
        return None
    index = PartitionedIndex(int(header["dimension"]), settings)
    _fill(index, path, read_tables(path / _TABLES))
    return Restored(index, cursor)


def _write(index: PartitionedIndex, new: Path) -> None:
    tables = Tables.empty(index.dimension)
    for partition in index.partitions():
        entries = list(index.entries.age.walk(partition))
        tables.partitions.append((partition.name, len(partition.segments), len(entries)))
        places: dict[int, tuple[int, int]] = {}
        for position, segment in enumerate(partition.segments):
            mine = [entry for entry in entries if entry in segment.index]
            if isinstance(segment.index, HnswIndex):
                segment.index.save(new / _graph_file(len(tables.nodes)))
                tables.nodes.append(segment.index.labels)
                places.update((entry, (position, segment.index.label(entry))) for entry in mine)
            else:
                tables.nodes.append(0)
                tables.vectors.append(segment.index.vectors(mine))
                places.update((entry, (position, row)) for row, entry in enumerate(mine))
        for entry in entries:
            key, expires_at = index.entries.key(entry), index.entries.expiry.time(entry)
            digest = index.entries.digest(entry)
            tables.rows.append(Row(key, expires_at, *places[entry], digest))
    write_tables(new / _TABLES, tables)


def _fill(index: PartitionedIndex, path: Path, tables: Tables) -> None:
    rows, nodes, vectors = iter(tables.rows), iter(enumerate(tables.nodes)), tables.vectors[0]
    number = taken = 0
    for name, segments, count in tables.partitions:
        mine = list(islice(rows, count))
        placed: list[list[tuple[int, int]]] = [[] for _ in range(segments)]
        for entry, row in enumerate(mine, start=number):
            placed[row.segment].append((entry, row.place))
        number += count
        indexes: list[Index] = []
        for members, (graph, labels) in zip(placed, islice(nodes, segments), strict=True):
            if labels:
                restored = HnswIndex(index.dimension, capacity=1)
                restored.restore(path / _graph_file(graph), labels, members)
                indexes.append(restored)
            else:
                flat = FlatIndex(index.dimension)
                flat.fill([entry for entry, _ in members], vectors[taken : taken + len(members)])
                taken += len(members)
                indexes.append(flat)
        index.adopt(
            name, indexes, ((row.key, row.expires_at, row.segment, row.digest) for row in mine)
        )


def _graph_file(number: int) -> str:
    return f"graph-{number}.hnsw"
