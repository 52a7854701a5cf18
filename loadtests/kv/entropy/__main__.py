"""Measures the entropy coder on one core: `python -m loadtests.kv.entropy [--repeats N]`.

Sizes and speeds of rANS beside constriction, zstd and zlib, on symbols drawn from Laplace
distributions. Takes about a minute. Writes loadtests/reports/kv-entropy.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from statistics import median

import numpy as np
from cachemw_codecs.coding.vectors import supports

from loadtests.kv.entropy.coders import CODERS
from loadtests.kv.entropy.measure import Measured, measure
from loadtests.kv.entropy.streams import SPREAD, Stream, laplace
from loadtests.report import Row, Section, at_least, at_most, load_average, machine, render

REPORT = Path(__file__).parents[2] / "reports" / "kv-entropy.md"
SIGMAS = (0.5, 1.0, 2.0, 5.0)
TABLES = (1, 64, 1024)
TOKENS, WIDTH = 2048, 1024
SEED = 1
QUIET = 1.5
"""Load average that the command itself explains."""
HEAD = (
    "sigma",
    "coder",
    "bits",
    "over the entropy",
    "encode, G symbols/s",
    "decode, G symbols/s",
    "ours is faster: encode",
    "decode",
)

Case = tuple[Stream, Sequence[Measured]]


def rows_of(stream: Stream, all_measured: Sequence[Measured]) -> list[Row]:
    """Return a line for the entropy, and one for each coder beside the first."""
    entropy = stream.entropy
    rows: list[Row] = [(f"{stream.sigma:g}", "entropy", f"{entropy:.3f}", "", "", "", "", "")]
    ours = all_measured[0]
    for measured in all_measured:
        encode, decode = ours.ratios(measured)
        rows.append(
            (
                f"{stream.sigma:g}",
                measured.name,
                f"{measured.bits:.3f}",
                f"{measured.bits / entropy - 1:+.1%}",
                f"{median(measured.encode):.3f}",
                f"{median(measured.decode):.3f}",
                "" if measured is ours else f"{encode:.1f} x",
                "" if measured is ours else f"{decode:.1f} x",
            )
        )
    return rows


def section(tables: int, cases: Sequence[Case]) -> Section:
    """Return the table for one number of frequency tables, with its bars."""
    what = "1 table" if tables == 1 else f"{tables} tables"
    about = "All columns have one distribution."
    if tables > 1:
        about = (
            f"Column j has table j mod {tables}; their standard deviations go from sigma / "
            f"{SPREAD:g} to sigma x {SPREAD:g}."
        )
    slowest_decode = min(median(measured[0].decode) for _, measured in cases)
    slowest_encode = min(median(measured[0].encode) for _, measured in cases)
    loss = max((m[0].bits / s.entropy - 1) * 100 for s, m in cases)
    bars = [
        at_most(f"size over the entropy, {what}, largest", loss, 1, "%"),
        at_least(f"decode, {what}, slowest sigma, G symbols/s", slowest_decode, 0.2),
        at_least(f"encode, {what}, slowest sigma, G symbols/s", slowest_encode, 0.2),
    ]
    rows = [row for stream, measured in cases for row in rows_of(stream, measured)]
    return Section(what.capitalize(), about, HEAD, rows, bars)


def conditions(options: argparse.Namespace) -> str:
    """Return how it was measured."""
    busy = os.getloadavg()[0] > QUIET
    noise = " Other work kept the machine busy meanwhile: it is to be run again." if busy else ""
    vectors = "AVX-512" if supports("avx512f") else "AVX2" if supports("avx2") else "no"
    return (
        f"{options.date}, {machine(('numpy', 'numba', 'constriction', 'zstandard'))}, load average "
        f"{load_average()}. Command: `python -m loadtests.kv.entropy`. One thread; `ours` uses "
        f"{vectors} vectors.\n\n"
        f"{TOKENS} tokens x {WIDTH} columns of rounded Laplace values, seed {SEED}. Frequency "
        "tables are the stream's own counts in 4096ths, so that what is over the entropy is the "
        "coder's and the rounding's loss, not a model's; tables are not counted, for anyone. "
        "`ours` counts its 32 states; its time includes taking the payload apart and all checks. "
        "`plain loops` is what runs on a processor without vectors; its time includes neither. "
        "zstd and zlib get bytes column after column, which suits them better than token after "
        "token.\n\n"
        f"Speeds are medians of {options.repeats} repeats in which all coders take turns, by the "
        "CPU time of the thread, so that waiting for a busy core does not count; caches and the "
        "core's other half are shared with whatever else runs. Ratios are medians of each repeat's "
        f"own.{noise}"
    )


def report(options: argparse.Namespace) -> str:
    """Measure everything and return the whole report."""
    rng = np.random.default_rng(SEED)
    sections = []
    for tables in TABLES:
        cases = []
        for sigma in SIGMAS:
            print(f"... {tables} tables, sigma {sigma:g}", file=sys.stderr, flush=True)
            stream = laplace(sigma, tables, TOKENS, WIDTH, rng)
            cases.append((stream, measure(stream, CODERS, options.repeats, time.thread_time)))
        sections.append(section(tables, cases))
    return render("The entropy coder on a CPU", conditions(options), sections)


def main() -> int:
    """Measure, print the report and write it."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.kv.entropy", description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    options = parser.parse_args()
    text = report(options)
    print(text)
    options.out.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
