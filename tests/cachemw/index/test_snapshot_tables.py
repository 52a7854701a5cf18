"""Tables of a snapshot come back as they were written."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from cachemw.index.snapshot_tables import Row, Tables, read_tables, write_tables


def test_empty_tables(tmp_path: Path) -> None:
    write_tables(tmp_path / "t.npz", Tables.empty(3))
    tables = read_tables(tmp_path / "t.npz")
    assert (tables.partitions, tables.rows, tables.nodes) == ([], [], [])
    assert tables.vectors[0].shape == (0, 3)


def test_all_columns(tmp_path: Path) -> None:
    tables = Tables.empty(2)
    tables.partitions += [(b"", 1, 1), (b"\0\xffname", 2, 2)]
    tables.rows += [
        Row(b"\0key\0", 1.5, 0, 0, -(2**63)),
        Row(b"", math.inf, 1, 2**40, 5),
        Row(b"x" * 500, -math.inf, 0, 7, 0),
    ]
    tables.nodes += [0, 12, 0]
    tables.vectors.append(np.array([[0.25, -1.0]], dtype=np.float32))
    write_tables(tmp_path / "t.npz", tables)
    again = read_tables(tmp_path / "t.npz")
    assert (again.partitions, again.rows, again.nodes) == (
        tables.partitions,
        tables.rows,
        tables.nodes,
    )
    assert np.array_equal(again.vectors[0], [[0.25, -1.0]])
