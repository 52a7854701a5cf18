"""What the index is told, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """`switch_at`: vectors above which a segment becomes a graph (loadtests/reports/index.md).

    `max_vectors` bounds all partitions together; `search_timeout` is in seconds. `segment_size`
    bounds the vectors of one graph: making one larger and letting go of one both hold the
    interpreter's lock, for 0.15 ms for each thousand nodes, of which there may be half as many
    again. Each further segment costs a search of 0.2 ms.
    """

    switch_at: int = 8000
    max_vectors: int = 200_000
    search_timeout: float = 0.25
    segment_size: int = 50_000


@dataclass(frozen=True, slots=True)
class IndexStats:
    """Counts; `tombstones` are removed vectors in graphs, `builds` those since the start."""

    vectors: int
    partitions: int
    graphs: int
    tombstones: int
    builds: int
    building: int
