"""What was measured, as Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

Row = Sequence[str]


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure must reach."""

    what: str
    limit: str
    measured: str
    met: bool


@dataclass(frozen=True, slots=True)
class Section:
    """One measurement: how it was made, its table and its bars."""

    title: str
    about: str
    head: Row
    rows: Sequence[Row]
    bars: Sequence[Bar] = field(default_factory=tuple)


def at_most(what: str, measured: float, limit: float, unit: str) -> Bar:
    """Return a bar from above."""
    return Bar(what, f"<= {limit:g} {unit}", f"{measured:.2f} {unit}", measured <= limit)


def at_least(what: str, measured: float, limit: float) -> Bar:
    """Return a bar from below."""
    return Bar(what, f">= {limit:g}", f"{measured:.2f}", measured >= limit)


def table(head: Row, rows: Sequence[Row]) -> str:
    """Return a Markdown table: the first column left, the rest right."""
    lines = [f"| {' | '.join(head)} |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def bars_table(sections: Sequence[Section]) -> str:
    """Return all bars, and whether they were met."""
    bars = [bar for section in sections for bar in section.bars]
    rows = [(b.what, b.limit, b.measured, "pass" if b.met else "**miss**") for b in bars]
    return table(("bar", "limit", "measured", ""), rows)


def render(title: str, conditions: str, sections: Sequence[Section]) -> str:
    """Return the whole report, the bars first."""
    parts = [f"# {title}", conditions]
    if any(section.bars for section in sections):
        parts += ["## Bars", bars_table(sections)]
    for section in sections:
        parts += [f"## {section.title}", section.about, table(section.head, section.rows)]
    return "\n\n".join(parts) + "\n"


def machine(packages: Sequence[str]) -> str:
    """Return the processor, the interpreter and the versions of some packages."""
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return (
        f"{_processor()}, {os.cpu_count()} cores, Linux {platform.release()}, "
        f"Python {platform.python_version()}; {versions}"
    )


def load_average() -> str:
    """Return the load average of the last minute."""
    return f"{os.getloadavg()[0]:.2f}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
