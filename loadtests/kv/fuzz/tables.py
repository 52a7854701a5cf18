"""What was found, as tables."""

from __future__ import annotations

from collections.abc import Callable

from loadtests.kv.fuzz.tally import Tally
from loadtests.report import Bar, Section, at_most

OUTCOMES = ("decoded", "DamagedData", "UnsupportedFormat", "WrongModel", "TablesMissing")
MIN_INPUTS = 200_000
MAX_SECONDS = 2.0
_KINDS = {"raw": "changed as bytes", "sealed": "changed and sealed again"}
_SHOWN = 20


def outcomes(tally: Tally) -> Section:
    """Return what came of the inputs, by kind and codec."""
    groups = {(kind, codec) for kind, codec, _ in tally.outcomes}
    groups |= {(fault.kind, fault.codec) for fault in tally.faults}
    rows = []
    for kind, codec in sorted(groups):
        counts = [tally.outcomes[kind, codec, outcome] for outcome in OUTCOMES]
        faults = sum((fault.kind, fault.codec) == (kind, codec) for fault in tally.faults)
        counts += [faults, sum(counts) + faults]
        rows.append((_KINDS[kind], codec, *map(_thousands, counts)))
    about = (
        "`decoded`: a tensor of the shape that the header says. Of inputs changed as bytes only "
        "those may decode that came out as a file of the corpus, or, read layer by layer, whose "
        "layers are intact. Codec: of the file that an input was made from."
    )
    head = ("input", "codec", *OUTCOMES, "anything else", "all")
    what = f"at least {_thousands(MIN_INPUTS)}"
    bars = (
        Bar("inputs", what, _thousands(tally.inputs), tally.inputs >= MIN_INPUTS),
        Bar("neither a clear error nor decoded", "0", str(len(tally.faults)), not tally.faults),
    )
    return Section("Outcomes", about, head, rows, bars)


def extremes(tally: Tally) -> Section:
    """Return the slowest inputs and those that took most memory."""
    rows = [
        (
            codec,
            *_extreme(tally.slowest, codec, lambda value: f"{1000 * value:.1f} ms"),
            *_extreme(tally.fullest, codec, lambda value: f"{value:.0%}"),
        )
        for codec in sorted({codec for _, codec, _ in tally.outcomes})
    ]
    about = (
        "Time is that of the wall clock. Memory was measured for every fiftieth input of each "
        "kind, by tracemalloc (Python, numpy) and as the largest tensor, as a share of what is "
        "allowed. The resident memory of a worker grew by at most "
        f"{tally.grown / (1 << 20):.0f} MiB after all decoders had run once; it could map 1 GiB."
    )
    head = ("codec", "slowest", "input", "most memory", "input")
    slowest = max((seconds for seconds, _ in tally.slowest.values()), default=0.0)
    fullest = max((share for share, _ in tally.fullest.values()), default=0.0)
    bars = (
        at_most("slowest input", slowest, MAX_SECONDS, "s"),
        Bar("memory of an input", "<= 100% of allowed", f"{fullest:.0%}", fullest <= 1),
    )
    return Section("Extremes", about, head, rows, bars)


def faults(tally: Tally) -> Section:
    """Return the first of what should not have been."""
    shown = sorted(tally.faults, key=lambda fault: fault.number)[:_SHOWN]
    rows = [
        (str(fault.number), _KINDS[fault.kind], fault.codec, fault.what.replace("|", "\\|"))
        for fault in shown
    ]
    about = f"The first {_SHOWN}; `--only NUMBER` with the same seed tries one again."
    return Section("Faults", about, ("input", "kind", "codec", "what"), rows)


def _extreme(
    of: dict[str, tuple[float, int]], codec: str, shown: Callable[[float], str]
) -> tuple[str, str]:
    if codec not in of:
        return "", ""
    value, number = of[codec]
    return shown(value), str(number)


def _thousands(count: int) -> str:
    return f"{count:,}".replace(",", " ")
