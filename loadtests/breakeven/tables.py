"""What was measured of lookups, as a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadtests.breakeven.measure import Compared, break_even
from loadtests.report import Bar, Section, at_least, at_most, load_average, machine, render

ANSWERS_S = (0.2, 0.5, 2.0, 10.0)


@dataclass(frozen=True, slots=True)
class Sized:
    """One number of vectors: rows by distance, recall of both, seconds to fill both."""

    size: int
    rows: Sequence[Compared]
    recall: tuple[float, float]
    filled_s: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Conditions:
    """When, how and with what was measured. `began`: the load average then."""

    date: str
    began: str
    database: str
    queries: int
    rounds: int


def report(found: Sequence[Sized], conditions: Conditions) -> str:
    """Return the whole report."""
    sections = [_costs(found)]
    sections += [_break_even(sized) for sized in found]
    return render(
        "What a lookup costs, and from which hit rate it pays", _about(conditions), sections
    )


def _about(conditions: Conditions) -> str:
    packages = ("cachemw", "hnswlib", "numpy", "openvino", "redis")
    return (
        f"{conditions.date}, {machine(packages)}; {conditions.database}, asyncpg. "
        "Command: `python -m loadtests.breakeven`. Load average of the last minute "
        f"{conditions.began} at the beginning, {load_average()} at the end.\n\n"
        "**Ours**: the service's index in this process, its answers in Redis. A miss is a search "
        "that finds nothing near and asks nobody; a hit, and a miss that came near enough to be "
        "read, fetches one answer besides. **Remote**: the table with vectors and answers in "
        "PostgreSQL, HNSW of pgvector with its default parameters (m 16, ef_construction 64, "
        "ef_search 40), all in memory, no filter by tenant; a miss and a hit are one query each, "
        "prepared, vectors in binary form, k = 5. Both servers run on the other core of the same "
        "machine over loopback; a round trip is added by a proxy in front of both. One lookup at a "
        f"time; medians of {conditions.queries} questions that are not stored, of "
        f"{conditions.rounds} rounds in turns; the ratio is taken round by round.\n\n"
        "Vectors: MiniLM's of 20 000 real questions (`question-pairs.jsonl.gz`), beyond these the "
        "same turned at random by a cosine of 0.9. **Embedding** is the same in both designs and "
        "has a column of its own."
    )


def _costs(found: Sequence[Sized]) -> Section:
    head = (
        "vectors, round trip added",
        "measured round trip ms",
        "ours, miss ms",
        "ours, hit ms",
        "remote, miss ms",
        "remote, hit ms",
        "miss, remote / ours",
        "embedding ms",
        "with it, remote / ours",
    )
    rows = [
        (
            f"{sized.size}, {row.round_trip_ms:g} ms",
            *(f"{ms:.2f}" for ms in (row.pinged_ms, *_four(row))),
            f"{row.ratio:.1f}",
            f"{row.embedding:.2f}",
            f"{(row.remote.miss + row.embedding) / (row.ours.miss + row.embedding):.1f}",
        )
        for sized in found
        for row in sized.rows
    ]
    filled = "; ".join(
        f"{sized.size} vectors: ours in {sized.filled_s[0]:.0f} s (one by one, recall@5 "
        f"{sized.recall[0]:.3f}), remote in {sized.filled_s[1]:.0f} s (at once, recall@5 "
        f"{sized.recall[1]:.3f})"
        for sized in found
    )
    about = f"The paper claims 2 ms against 30 ms a miss. Filled: {filled}."
    bars = [bar for sized in found for bar in _bars(sized)]
    return Section("A lookup", about, head, rows, bars)


def _bars(sized: Sized) -> list[Bar]:
    """Return the paper's figures for one size: of the search, with the embedding, and the ratio."""
    near = sized.rows[0]
    name = f"{sized.size} vectors"
    whole = near.ours.miss + near.embedding
    bars = [
        at_most(f"a miss of ours, {name}", near.ours.miss, 2.0, "ms"),
        at_most(f"a miss of ours with its embedding, {name}", whole, 2.0, "ms"),
    ]
    for row in sized.rows:
        what = f"miss, remote / ours, {row.round_trip_ms:g} ms away, {name}"
        bars.append(at_least(what, row.ratio, 15.0))
    return bars


def _break_even(sized: Sized) -> Section:
    head = (
        "round trip, seconds an answer takes",
        "ours",
        "remote",
        "remote / ours",
        "ours, with embedding",
        "remote, with embedding",
    )
    rows = []
    for row in sized.rows:
        for answer_s in ANSWERS_S:
            ours, remote = (break_even(c, 0.0, answer_s) for c in (row.ours, row.remote))
            both = [break_even(c, row.embedding, answer_s) for c in (row.ours, row.remote)]
            rows.append(
                (
                    f"{row.round_trip_ms:g} ms, {answer_s:g} s",
                    f"{ours:.3%}",
                    f"{remote:.3%}",
                    f"{remote / ours:.1f}",
                    *(f"{rate:.2%}" for rate in both),
                )
            )
    about = (
        "The hit rate from which lookups save more time than they take: miss / (answer - hit + "
        "miss). The seconds an answer takes are assumed, not measured. The paper claims 3-5 % "
        "against 15-20 %; with its 2 and 30 ms that is an answer of about 0.05 and 0.15 s."
    )
    return Section(f"Break-even hit rate, {sized.size} vectors", about, head, rows)


def _four(row: Compared) -> tuple[float, float, float, float]:
    return row.ours.miss, row.ours.hit, row.remote.miss, row.remote.hit
