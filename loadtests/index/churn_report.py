"""The report of a churning index: `python -m loadtests.index churn`.

Writes loadtests/reports/index-churn.md. Takes about four minutes. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import uvloop

from cachemw.config import default_cache_dir
from loadtests.index.churn import Churn, Outcome, Plan, Turnover
from loadtests.index.pauses import Pauses
from loadtests.index.vectors import clustered, real
from loadtests.report import Section, at_least, at_most, load_average, machine, render
from loadtests.stats import Spread

REPORT = Path(__file__).parents[1] / "reports" / "index-churn.md"
QUESTIONS = 8000
RECALL = 0.99
SLOWER = 2.0
PAUSE_MS = 20.0


def life(plan: Plan, outcome: Outcome, source: str) -> Section:
    """Return the table of all turnovers, with the bars."""
    slowest = max(turnover.still.p99 for turnover in outcome.turnovers)
    beside = max(turnover.lookups.p99 for turnover in outcome.turnovers)
    fresh = max(spread.p99 for spread in outcome.fresh)
    about = (
        f"{source} About {plan.live} live vectors in one partition, {plan.turnovers} turnovers, "
        f"{plan.rate:g} changes a second: inserts, 15 % of them replacements, a tenth as many "
        "deletes, the rest of what goes expires; each turnover begins with the deletion of one "
        f"topic. Beside them {plan.asked:g} lookups a second. 'Still' is after each turnover, when "
        "nothing is under way, tombstones and all; 'beside' is while changes and rebuilds go on, "
        "on the same two cores as this client. Recall is against an exact scan of the live "
        "vectors, 200 lookups each."
    )
    head = (
        "",
        "seconds",
        "live",
        "tombstones",
        "graphs built",
        "recall@1",
        "still p50 ms",
        "still p99 ms",
        "beside p50 ms",
        "beside p99 ms",
        "RSS MiB",
    )
    names = ("fresh, before", "fresh, last content")
    rows = [_fresh_row(name, spread) for name, spread in zip(names, outcome.fresh, strict=True)]
    rows += [_row(n, turnover) for n, turnover in enumerate(outcome.turnovers, start=1)]
    worst_recall = min(turnover.recall for turnover in outcome.turnovers)
    bars = (
        at_least("recall@1, worst turnover", worst_recall, RECALL),
        at_most("p99 lookup still, worst turnover, to fresh", slowest / fresh, SLOWER, "x"),
        at_most("p99 lookup beside, worst turnover, to fresh", beside / fresh, SLOWER, "x"),
    )
    return Section("Life", about, head, rows, bars)


def pauses(outcome: Outcome) -> Section:
    """Return what the probes saw."""
    about = (
        "A task sleeps for 1 ms again and again and notes how late it wakes: on an idle loop "
        "before the run, which is what the machine does by itself, and throughout the run. A pause "
        "in which neither the loop nor the process had CPU is not the index's: the machine was "
        "busy with something else. "
        f"Python's garbage collector took {max(outcome.collector_ms):.1f} ms at most."
    )
    worst = [
        (f"{milliseconds:.1f} ms late", *[""] * 4, what)
        for milliseconds, what in outcome.busy.worst
    ]
    rows = [_pauses_row("idle", outcome.idle), _pauses_row("churn", outcome.busy), *worst]
    bar = at_most("longest pause of the event loop", outcome.busy.longest, PAUSE_MS, "ms")
    head = ("loop", "samples", "p99.9 ms", "longest ms", "longest with CPU ms", "under way")
    return Section("Pauses of the event loop", about, head, rows, (bar,))


def _row(number: int, turnover: Turnover) -> tuple[str, ...]:
    return (
        f"turnover {number}",
        f"{turnover.seconds:.1f}",
        str(turnover.vectors),
        str(turnover.tombstones),
        str(turnover.builds),
        f"{turnover.recall:.3f}",
        *_spread(turnover.still),
        *_spread(turnover.lookups),
        f"{turnover.rss_mib:.0f}",
    )


def _fresh_row(name: str, spread: Spread) -> tuple[str, ...]:
    return (name, "", "", "", "", "", *_spread(spread), "", "", "")


def _pauses_row(name: str, seen: Pauses) -> tuple[str, ...]:
    return name, str(seen.samples), f"{seen.p999:.2f}", f"{seen.longest:.2f}", f"{seen.own:.2f}", ""


def _spread(spread: Spread) -> tuple[str, str]:
    return f"{spread.p50:.3f}", f"{spread.p99:.3f}"


def main(arguments: Sequence[str]) -> None:
    """Measure, print the report and write it."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.index churn", description=__doc__)
    parser.add_argument("--live", type=int, default=12_000, help="vectors")
    parser.add_argument("--turnovers", type=int, default=10)
    parser.add_argument("--rate", type=float, default=700.0, help="changes a second")
    parser.add_argument("--asked", type=float, default=100.0, help="lookups a second")
    parser.add_argument("--made-up", action="store_true", help="no embedder, no real questions")
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--cache-dir", type=Path, help="of prepared models")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    options = parser.parse_args(arguments)
    began = load_average()
    cache_dir = options.cache_dir or default_cache_dir(os.environ)
    data = None if options.made_up else real(QUESTIONS, cache_dir)
    if data is None:
        data = clustered(QUESTIONS)
    source = (
        f"{data.name}: {len(data.stored)} of them, extended by perturbation (a vector stored has a "
        "cosine of 0.97 to its question, one asked for 0.94)."
    )
    plan = Plan(options.live, options.turnovers, options.rate, options.asked)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome = runner.run(Churn(plan, data.stored).run())
    conditions = (
        f"{options.date}, {machine(('cachemw', 'hnswlib', 'numpy'))}. Command: `python -m "
        f"loadtests.index churn`. Load average of the last minute {began} at the beginning, "
        f"{load_average()} at the end."
    )
    sections = [life(plan, outcome, source), pauses(outcome)]
    text = render("An index under churn", conditions, sections)
    print(text)
    options.out.write_text(text, "utf-8")
