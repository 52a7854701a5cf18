"""The tables of a snapshot as numpy arrays in one file, without pickle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cachemw.stores.base import Vector


class Row(NamedTuple):
    """An entry: `segment` is counted within its partition, `place` is a row or a label there."""

    key: bytes
    expires_at: float
    segment: int
    place: int
    digest: int


@dataclass(slots=True)
class Tables:
    """Partitions (name, segments, entries) by use, rows by partition and age, both oldest first.

    `nodes` has the number of labels of every segment that is a graph, 0 for a scan; `vectors` are
    the scans' rows one segment after the other.
    """

    partitions: list[tuple[bytes, int, int]]
    rows: list[Row]
    nodes: list[int]
    vectors: list[Vector]

    @classmethod
    def empty(cls, dimension: int) -> Tables:
        """Return tables to be filled."""
        return cls([], [], [], [np.empty((0, dimension), dtype=np.float32)])


def write_tables(path: Path, tables: Tables) -> None:
    """Write to a new file."""
    names, segments, counts = _columns(tables.partitions, 3)
    keys, expires_at, segment, place, digest = _columns(tables.rows, 5)
    arrays: dict[str, NDArray[Any]] = {
        "names": _joined(names),
        "name_lengths": _lengths(names),
        "segments": np.array(segments, dtype=np.int32),
        "counts": np.array(counts, dtype=np.int64),
        "keys": _joined(keys),
        "key_lengths": _lengths(keys),
        "expires_at": np.array(expires_at, dtype=np.float64),
        "segment": np.array(segment, dtype=np.int32),
        "place": np.array(place, dtype=np.int64),
        "digest": np.array(digest, dtype=np.int64),
        "nodes": np.array(tables.nodes, dtype=np.int64),
        "vectors": np.concatenate(tables.vectors),
    }
    np.savez(path, allow_pickle=False, **arrays)


def read_tables(path: Path) -> Tables:
    """Read what `write_tables` wrote."""
    with np.load(path, allow_pickle=False) as file:
        names = _split(file["names"], file["name_lengths"])
        partitions = zip(names, file["segments"].tolist(), file["counts"].tolist(), strict=True)
        columns = [file[name].tolist() for name in ("expires_at", "segment", "place", "digest")]
        rows = map(Row, _split(file["keys"], file["key_lengths"]), *columns)
        return Tables(list(partitions), list(rows), file["nodes"].tolist(), [file["vectors"]])


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[Sequence[Any]]:
    return list(zip(*rows, strict=True)) if rows else [()] * width


def _joined(texts: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(texts), dtype=np.uint8)


def _lengths(texts: Sequence[bytes]) -> NDArray[np.int64]:
    return np.array([len(text) for text in texts], dtype=np.int64)


def _split(joined: NDArray[np.uint8], lengths: NDArray[np.int64]) -> Iterator[bytes]:
    whole = joined.tobytes()
    for start, end in pairwise(accumulate(lengths.tolist(), initial=0)):
        yield whole[start:end]
