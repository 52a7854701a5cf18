"""Fuzzes the decoders: `python -m loadtests.kv.fuzz [--inputs N] [--seed S] [--only NUMBER]`.

Two workers; nothing beside the project is needed. Writes loadtests/reports/kv-fuzz.md, and fails
where a decoder did anything but decode or raise one of its errors.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import date
from pathlib import Path

from loadtests.http.command import write_report
from loadtests.http.shots import Incorrect
from loadtests.kv.fuzz.cases import Cases
from loadtests.kv.fuzz.corpus import opener
from loadtests.kv.fuzz.judge import MEMORY_FACTOR, MEMORY_FLOOR, Judge
from loadtests.kv.fuzz.pool import fuzzed
from loadtests.kv.fuzz.subjects import at_hand
from loadtests.kv.fuzz.tables import extremes, faults, outcomes
from loadtests.report import machine, render

REPORT = Path(__file__).parents[2] / "reports" / "kv-fuzz.md"


def conditions(options: argparse.Namespace, files: int, names: str) -> str:
    """Return how inputs were made and judged."""
    return (
        f"{options.date}, {machine(('cachemw', 'numpy', 'torch'))}. Command: "
        f"`python -m loadtests.kv.fuzz --inputs {options.inputs} --seed {options.seed}`.\n\n"
        f"Corpus: {files} files of random KV, 2 layers of 2 heads of 16 values, 1 to 40 tokens: "
        f"every level and dtype of {names}. Half of the inputs are files changed in one to four "
        "places (bits flipped, bytes overwritten, deleted, inserted, repeated, spliced from other "
        "files, cut off, integers set to extremes). Half are changed with knowledge of the format "
        "and get the right checksums, so that codecs see what is bad: payloads changed likewise, "
        "exchanged or made of noise; other levels, codecs, shapes, layers, positions and "
        "fingerprints in the header; header bytes changed. Every fourth input is read layer by "
        "layer, the others whole. An input may take 2 s, and memory of "
        f"{MEMORY_FLOOR >> 20} MiB and {MEMORY_FACTOR} times its own size and that which its "
        "header claims. Workers run under a limit of their address space; a crash, or an "
        "input that takes 20 s, ends one and is a fault."
    )


def run(options: argparse.Namespace) -> str:
    """Fuzz and return the report; a single input is printed instead."""
    codecs = at_hand()
    cases = Cases(codecs, options.seed)
    if options.only is not None:
        case = cases[options.only]
        judge = Judge(opener(codecs), {specimen.data for specimen in cases.specimens})
        print(f"{case.kind}, {case.codec}, {len(case.data)} bytes", flush=True)
        print(judge.outcome(case))
        return ""
    tally = fuzzed(at_hand, options.seed, options.inputs)
    names = dict.fromkeys(codec.name for codec in codecs)
    about = conditions(options, len(cases.specimens), ", ".join(names))
    sections = [outcomes(tally), extremes(tally)]
    if tally.faults:
        sections.append(faults(tally))
    text = render("Damaged and forged files of encoded KV", about, sections)
    if tally.faults:
        raise Incorrect(text)
    return text


def main() -> int:
    """Fuzz, print the report and write it."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(prog="python -m loadtests.kv.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=250_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, metavar="NUMBER", help="try one input, in this process")
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    return write_report(run, parser.parse_args(), fault="a decoder failed")


if __name__ == "__main__":
    sys.exit(main())
