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
from pathlib import Path

from cachemw.index.flat import FlatIndex
from cachemw.index.hnsw import EF_CONSTRUCTION, LIBRARY, HnswIndex, M
from cachemw.index.partitions import IndexSettings, PartitionedIndex
from cachemw.index.snapshot_files import in_force, publish, verified
from cachemw.index.snapshot_tables import Row, Tables, read_tables, write_tables

log = logging.getLogger("cachemw.index")

_LAYOUT = 1
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
        places: dict[int, tuple[int, int]] = {}
        for position, segment in enumerate(partition.segments):
            found = segment.index
            if isinstance(found, HnswIndex):
                found.save(new / _graph_file(len(tables.nodes)))
                tables.nodes.append(found.labels)
                places.update((entry, (position, found.label(entry))) for entry in found.entries())
            else:
                entries = found.entries()
                tables.nodes.append(0)
                tables.vectors.append(found.vectors(entries))
                places.update((entry, (position, row)) for row, entry in enumerate(entries))
        tables.partitions.append((partition.name, len(partition.segments), partition.count))
        for entry in index.entries.age.walk(partition):
            key, expires_at = index.entries.key(entry), index.entries.expiry.time(entry)
            tables.rows.append(Row(key, expires_at, *places[entry]))
    write_tables(new / _TABLES, tables)


def _fill(index: PartitionedIndex, path: Path, tables: Tables) -> None:
    rows, nodes, vectors = iter(tables.rows), iter(enumerate(tables.nodes)), tables.vectors[0]
    first = taken = 0
    for name, segments, count in tables.partitions:
        mine = [next(rows) for _ in range(count)]
        indexes: list[FlatIndex | HnswIndex] = []
        for position in range(segments):
            number, labels = next(nodes)
            placed = [
                (first + n, row.place) for n, row in enumerate(mine) if row.segment == position
            ]
            if labels:
                graph = HnswIndex(index.dimension, capacity=1)
                graph.restore(path / _graph_file(number), labels, placed)
                indexes.append(graph)
            else:
                flat = FlatIndex(index.dimension)
                for entry, row in placed:
                    flat.add(entry, vectors[taken + row])
                taken += len(placed)
                indexes.append(flat)
        index.adopt(name, indexes, ((row.key, row.expires_at, row.segment) for row in mine))
        first += count


def _graph_file(number: int) -> str:
    return f"graph-{number}.hnsw"
