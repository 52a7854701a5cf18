"""The soak's report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import orjson

from loadtests.report import Bar, Section
from loadtests.soak.flatness import Flatness, flatness
from loadtests.soak.footprint import Footprint
from loadtests.soak.load import Tally

LIMIT = 0.05
_ROWS = 30
_LONGEST = 120
_HARMLESS = ("info", "warning")


def growth(seen: Sequence[Footprint], warm_up_s: float) -> Section:
    """Return what became of memory, files and threads, with the bars."""
    seconds = [look.seconds for look in seen]
    figures = {
        "resident memory, MiB": flatness(seconds, [look.rss_mb for look in seen], warm_up_s),
        "open files": flatness(seconds, [look.files for look in seen], warm_up_s),
        "threads": flatness(seconds, [look.threads for look in seen], warm_up_s),
    }
    about = (
        f"One look a second. The warm-up took {warm_up_s:.0f} s; the time after it is cut into "
        "five windows, whose medians these are. The slope is that of the straight line through all "
        "looks after the warm-up."
    )
    head = ("", *(f"window {n}" for n in range(1, 6)), "last / first", "slope a minute")
    rows = [_row(what, flat) for what, flat in figures.items()]
    bars = [_bar(what, flat) for what, flat in figures.items()]
    memory = figures["resident memory, MiB"]
    bars.append(
        Bar(
            "resident memory, straight line over the whole time",
            f"<= +{LIMIT:.0%}",
            f"{memory.drift:+.1%}",
            memory.drift <= LIMIT,
        )
    )
    return Section("Growth", about, head, rows, bars)


def _row(what: str, flat: Flatness) -> tuple[str, ...]:
    medians = (f"{value:.1f}" for value in flat.medians)
    return (what, *medians, f"{flat.change:+.1%}", f"{flat.slope:+.3f}")


def _bar(what: str, flat: Flatness) -> Bar:
    return Bar(
        f"{what}, last window against the first",
        f"within {LIMIT:.0%}",
        f"{flat.change:+.1%}",
        abs(flat.change) <= LIMIT,
    )


def course(seen: Sequence[Footprint]) -> Section:
    """Return the samples over time, thinned out."""
    step = max(1, len(seen) // _ROWS)
    rows = [
        (f"{look.seconds:.0f}", f"{look.rss_mb:.1f}", str(look.files), str(look.threads))
        for look in seen[::step]
    ]
    head = ("second", "resident MiB", "open files", "threads")
    return Section("Course", "Every so many seconds, from the start.", head, rows)


def replies(tally: Tally) -> Section:
    """Return what came back to each kind of request, with the bar that nothing was wrong."""
    rows = [
        (kind, outcome, str(number)) for (kind, outcome), number in sorted(tally.outcomes.items())
    ]
    about = (
        "Every reply is checked: its status, its text, and that no tenant is given what another "
        "was. `left` is a client that hung up, `closed` a connection that ended in the middle of a "
        "reply because the upstream's did."
    )
    faults = tally.faults.total()
    bar = Bar("replies that were wrong", "0", str(faults), faults == 0)
    if tally.faults:
        listed = "\n".join(f"* {number} × {text}" for text, number in tally.faults.most_common())
        about += f"\n\nWrong were:\n\n{listed}"
    return Section("Replies", about, ("request", "outcome", "number"), rows, [bar])


def said(log: str) -> Section:
    """Return what the service logged, by what a line says, with the bar that nothing broke."""
    counts: Counter[tuple[str, ...]] = Counter()
    # The last line may be on its way.
    for line in log[: log.rfind("\n") + 1].splitlines():
        counts[_told(line)] += 1
    about = "What the service logged, without what differs from line to line."
    rows = [(*told, str(times)) for told, times in counts.most_common(_ROWS)]
    errors = sum(times for told, times in counts.items() if told[0] not in _HARMLESS)
    bar = Bar("log lines of level error", "0", str(errors), errors == 0)
    head = ("level", "logger", "message", "of", "reason", "times")
    return Section("Log", about, head, rows or [("",) * len(head)], [bar])


def _told(line: str) -> tuple[str, ...]:
    """Return a line's fields; what is no line of ours counts as an error in itself."""
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        return ("other", "", line[:_LONGEST].replace("|", "/"), "", "")
    fields = ("level", "logger", "message", "dependency", "reason")
    return tuple(str(said.get(name, ""))[:_LONGEST].replace("|", "/") for name in fields)
