"""Growth as a table: one column a size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from loadtests.growth.measure import Times
from loadtests.growth.prepare import Case
from loadtests.report import Bar, Section, at_most
from loadtests.stats import Spread, median, middle

SMALL, LARGE = 1000, 100_000
"""The sizes that the bars compare."""
RESTART_BAR_S = 10.0
LOOKUP_BAR = 1.5
_SHAPES = {
    "one": "all entries in one partition",
    "many": "ten entries in each partition",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of a case beside its times.

    `ready_s` of each restart; `rss_mb` of the service above that of an empty one, just started;
    `stored_bytes` of the store; `put_s` that filling it took.
    """

    ready_s: Sequence[float]
    rss_mb: float
    stored_bytes: int
    put_s: float


def section(
    kind: str,
    shape: str,
    cases: Sequence[Case],
    figures: Mapping[Case, Figures],
    times: Mapping[Case, Times],
) -> Section:
    """Return the table and bars of one store and shape."""

    def row(what: str, value: Callable[[Case], str]) -> tuple[str, ...]:
        return (what, *(value(case) for case in cases))

    def latency(what: str, of: Callable[[Times], list[Spread]]) -> list[tuple[str, ...]]:
        return [
            row(f"{what} p50, ms", lambda case: f"{middle(of(times[case])).p50:.2f}"),
            row(f"{what} p99, ms", lambda case: f"{middle(of(times[case])).p99:.2f}"),
        ]

    def stage(what: str, name: str) -> tuple[str, ...]:
        return row(what, lambda case: f"{median(times[case].stages[name]):.2f}")

    rows = [
        *latency("exact hit, from the store,", lambda t: t.hit),
        *latency("exact miss, lookup alone,", lambda t: t.miss),
        *latency("semantic hit", lambda t: t.semantic),
        stage("of it the embedding, mean, ms", "embed"),
        stage("of it the search, mean, ms", "search"),
        stage("of it the verifier, mean, ms", "verify"),
        stage("of it the document, mean, ms", "store_get"),
        *latency("insert through the service", lambda t: t.insert),
        row("CPU of an insert, ms", lambda case: f"{median(times[case].cpu_ms):.2f}"),
        row("put alone, in bulk, µs", lambda c: f"{1e6 * figures[c].put_s / c.entries:.0f}"),
        row("resident per entry, bytes", lambda c: _per_entry(figures[c].rss_mb * 2**20, c)),
        row("stored per entry, bytes", lambda c: _per_entry(figures[c].stored_bytes, c)),
        row("restart to ready, s", lambda c: f"{median(figures[c].ready_s):.2f}"),
    ]
    about = (
        f"{kind}, {_SHAPES[shape]}; all sizes run side by side and are measured in turn. The "
        "service keeps no documents in memory. A lookup alone is a miss of `only-if-cached`. A "
        "semantic hit asks a stored question in other words; its parts are the service's own "
        "means. An insert is a new question: embedded, searched for, answered by the fake upstream "
        "at once, stored and indexed."
    )
    head = ("", *(f"{case.entries:,}".replace(",", " ") for case in cases))
    bars = _bars(kind, shape, {case.entries: case for case in cases}, figures, times)
    return Section(f"{kind}, {shape}", about, head, rows, bars)


def _per_entry(size: float, case: Case) -> str:
    return f"{size / case.entries:.0f}"


def _bars(
    kind: str,
    shape: str,
    cases: Mapping[int, Case],
    figures: Mapping[Case, Figures],
    times: Mapping[Case, Times],
) -> list[Bar]:
    if not {SMALL, LARGE} <= set(cases):
        return []
    small, large = cases[SMALL], cases[LARGE]
    where = f"{kind}, {shape}"
    what = f"{where}: restart to ready at {LARGE}"
    bars = [at_most(what, median(figures[large].ready_s), RESTART_BAR_S, "s")]
    lookups: dict[str, Callable[[Times], list[Spread]]] = {
        "exact hit": lambda t: t.hit,
        "exact miss": lambda t: t.miss,
        "semantic hit": lambda t: t.semantic,
    }
    for name, of in lookups.items():
        ratio = middle(of(times[large])).p50 / middle(of(times[small])).p50
        what = f"{where}: {name} p50 at {LARGE} / at {SMALL}"
        bars.append(at_most(what, ratio, LOOKUP_BAR, "times"))
    return bars
