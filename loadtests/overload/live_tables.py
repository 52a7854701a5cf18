"""What adaptation did in the real service, as a part of the report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from cachemw_policies.category import CategoryPolicy
from cachemw_policies.load import LoadSettings

from loadtests.overload.live_client import PATIENCE_S
from loadtests.overload.live_figures import LiveFigures, levels, medians, outcomes
from loadtests.overload.live_plan import Plan
from loadtests.overload.live_run import Run
from loadtests.report import Bar, Section, machine, render

OFF, ON = "adaptation off", "adaptation on"
_LEAST_TAKEN = 0.09
_LEVEL_STEP_S = 10.0


@dataclass(frozen=True, slots=True)
class AtLoad:
    """All at one offered load: runs and figures by turn, OFF and ON; the simulation's by name."""

    load: float
    plan: Plan
    runs: Mapping[str, Sequence[Run]]
    figures: Mapping[str, Sequence[LiveFigures]]
    simulated: Mapping[str, LiveFigures]


def report(done: Sequence[AtLoad], policy: CategoryPolicy, times: float, command: str) -> str:
    """Return the part; `times`: how much faster than the simulation's the upstream answers."""
    about = "\n\n".join(
        (
            f"{command} {machine(('cachemw', 'httpx', 'numpy'))}.",
            _setup(done, policy, times),
            _differs(done, policy),
        )
    )
    sections = [part for each in done for part in (_figures(each), _levels(each))]
    return render("The same, with the real service over HTTP", about, sections)


def _setup(done: Sequence[AtLoad], policy: CategoryPolicy, times: float) -> str:
    capacity = done[0].plan.capacity
    runs = [run for each in done for kind in each.runs.values() for run in kind]
    states = {(run.state.normal, run.state.overload) for run in runs}
    bars = " and ".join(
        f"{normal.threshold} for {policy.delta:g} ({normal.origin}, {normal.errors} wrong of "
        f"{normal.labels}), {overload.threshold} for {policy.delta_overload:g} ({overload.origin}, "
        f"{overload.errors} of {overload.labels})"
        for normal, overload in sorted(states, key=str)
    )
    rates = ", ".join(f"{len(one.plan.arrivals) / one.plan.seconds:.0f}" for one in done)
    busy = [value for run in runs for value in run.busy]
    return (
        "`cachemw serve`, one process, SQLite, the shipped embedder and verifier, before a server "
        f"that answers {capacity.slots} streams at once, lets {capacity.waiting} calls wait and "
        f"gives further ones a 429. It answers {times:g} times as fast as the one above, and "
        f"arrivals come as much faster: {rates} a second at these loads, for about "
        f"{done[0].plan.seconds:.0f} s. What the service knows of the upstream: its capacity, the "
        "times to the first token, failed calls. **Each setting was run with adaptation and "
        f"without in turn, {len(done[0].runs[ON])} times, on a store filled anew**; the tables "
        "have the medians. Both thresholds were learnt by the service from the labels of the "
        f"calibration part in its store: {bars}. The answers to be found are those of the pairs' "
        "first questions, as old as the arrivals say. The simulation of the same arrivals, "
        "thresholds, upstream and time constants stands below the service's rows; in `guards, "
        "cosine` it leaves out the pairs that guards object to or that are not near enough, which "
        "the service does too.\n\n"
        f"**The machine was not free**: load average {min(busy):.1f} to {max(busy):.1f} on two "
        "cores, shared with the client and the upstream. `verify_seconds`, `search_seconds`, "
        "`get_seconds` and `max_wait_seconds` were therefore 1, 1, 1 and 2 s; retries and the "
        f"breaker were off, as in the simulation, and clients gave up after {PATIENCE_S:g} s."
    )


def _differs(done: Sequence[AtLoad], policy: CategoryPolicy) -> str:
    return (
        "What differs from the simulation: other stored questions may be nearer than a pair's own "
        "(`served another`: answers of which no label says whether they fit; not in `wrong`); the "
        "remaining requests are real questions whose like may be stored; guards and the floor of "
        "the cosine hold; the upstream's time is real, with the noise of the machine in the times "
        f"to the first token; a run has {len(done[0].plan.arrivals)} arrivals and more, not 6000, "
        f"and the time constants of the service ({LoadSettings().tau_s:g} s and "
        f"{LoadSettings().baseline_tau_s:g} s for the averages) are not compressed with the "
        "arrivals. `overloaded` is taken from the gauges, looked at once a second. "
        "Answers are not stored, as in the simulation, and hits are not checked against fresh "
        f"answers: nobody's key may be used for that. TTL {policy.ttl:g} s, under load "
        f"up to {policy.ttl_overload:g} s."
    )


_HEAD = (
    "",
    "overloaded",
    "taken off",
    "while overloaded",
    "served",
    "wrong of served",
    "served another",
    "past TTL, of all",
    "turned away",
    "timed out",
    "p50 s",
    "p99 s",
    "mean level",
)


def _figures(each: AtLoad) -> Section:
    rows = [row(f"service, {name}", medians(found)) for name, found in each.figures.items()]
    rows += [row(name, found) for name, found in each.simulated.items()]
    apart = ", ".join(f"{one.taken_overloaded:.1%}" for one in each.figures[ON])
    least = min(one.taken_overloaded for one in each.figures[ON])
    about = (
        f"{len(each.plan.arrivals)} arrivals. Taken off while overloaded, turn by turn: {apart}. "
        f"What the lookups came to with adaptation: {_counted(each.runs[ON])}; without: "
        f"{_counted(each.runs[OFF])}.{_paused(each)} The baseline of the time to the first token "
        f"without adaptation: {_baseline(each.runs[OFF])}."
    )
    bar = Bar(
        f"service: taken off while overloaded, offered load {each.load:g}, least of all turns "
        "(paper: 9-17 %)",
        f">= {_LEAST_TAKEN:.0%}",
        f"{least:.1%}",
        least >= _LEAST_TAKEN,
    )
    return Section(f"Service, offered load {each.load:g}", about, _HEAD, rows, [bar])


def row(name: str, found: LiveFigures) -> list[str]:
    """Return a table's row."""
    shares = [field.name for field in fields(LiveFigures)][:9]
    return [
        name,
        *(_percent(getattr(found, share)) for share in shares),
        f"{found.p50_s:.2f}",
        f"{found.p99_s:.2f}",
        f"{found.level:.2f}",
    ]


def _levels(each: AtLoad) -> Section:
    """Return the gauge over time: the median of each run's looks in each span, side by side."""
    spans = range(math.ceil(each.plan.seconds / _LEVEL_STEP_S))
    rows = []
    for number, run in enumerate(each.runs[ON], 1):
        looks = [(look.at, look.level) for look in run.seen.looks]
        rows.append(_spans(f"gauge, turn {number}", looks, spans))
        decided = levels(each.plan, run.seen.replies)
        rows.append(_spans(f"at decisions, turn {number}", decided, spans))
    head = ("", *(f"{span * _LEVEL_STEP_S:.0f} s" for span in spans))
    about = "`cachemw_load_level` and the level in `x-cachemw-decision`, mean of each span."
    return Section(f"Level over time, offered load {each.load:g}", about, head, rows)


def _spans(name: str, found: Sequence[tuple[float, float]], spans: Sequence[int]) -> list[str]:
    cells = []
    for span in spans:
        low = span * _LEVEL_STEP_S
        inside = [value for at, value in found if low <= at < low + _LEVEL_STEP_S]
        cells.append(f"{sum(inside) / len(inside):.2f}" if inside else "-")
    return [name, *cells]


def _counted(runs: Sequence[Run]) -> str:
    total: Counter[str] = Counter()
    for run in runs:
        total += outcomes(run.seen.replies)
    return ", ".join(f"{name} {count}" for name, count in total.most_common())


def _paused(each: AtLoad) -> str:
    """Say which runs cannot be compared, because the accounts had paused the category."""
    turns = [
        f"{number} ({name})"
        for name, runs in each.runs.items()
        for number, run in enumerate(runs, 1)
        if outcomes(run.seen.replies)["no_lookup"]
    ]
    if not turns:
        return ""
    return (
        f" **Turn {', '.join(turns)} is no fair comparison**: lookups cost more there than their "
        "few hits won, on this machine, and the category's account paused them (`no_lookup`)."
    )


def _baseline(runs: Sequence[Run]) -> str:
    """Say from where to where it went: what the average is, over how many times that is."""
    said = []
    for run in runs:
        known = [look.ttft_s / look.queueing for look in run.seen.looks if look.queueing]
        if known:
            said.append(f"{known[0] * 1e3:.0f} to {known[-1] * 1e3:.0f} ms")
    return ", ".join(said) or "not seen"


def _percent(share: float) -> str:
    return "none" if math.isnan(share) else f"{share:.1%}"
