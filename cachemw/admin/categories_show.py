"""Categories on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from cachemw.admin.show import duration, plain, size

Json = dict[str, Any]

# A narrow terminal does without some columns rather than cut all of them.
_WIDE = 150
_MORE = ("size", "share / entitled", "lookups", "overload", "ttl")
_HEADINGS = (
    "entries",
    "size",
    "share / entitled",
    "lookups",
    "hit rate",
    "threshold",
    "overload",
    "ttl",
    "false hits",
    "won",
    "verdict",
)


def print_categories(console: Console, categories: Sequence[Json]) -> None:
    """Print a row for each category."""
    headings = [h for h in _HEADINGS if console.width >= _WIDE or h not in _MORE]
    table = Table(header_style="bold", padding=(0, 1), box=box.SIMPLE)
    table.add_column("category", no_wrap=True, overflow="ellipsis", max_width=24)
    for heading in headings:
        table.add_column(heading, no_wrap=True, justify="right")
    for one in categories:
        cells = _cells(one)
        table.add_row(plain(one["category"]), *(cells[heading] for heading in headings))
    console.print(table)


def print_category(console: Console, one: Json) -> None:
    """Print all that is known of one category."""
    known = Table.grid(padding=(0, 2))
    known.add_column(style="bold")
    known.add_column(overflow="fold")
    cells = _cells(one)
    known.add_row("category", plain(one["category"]))
    for heading in ("entries", "size", "share / entitled", "lookups", "hit rate"):
        known.add_row(heading, cells[heading])
    known.add_row("threshold", cells["threshold"])
    known.add_row("  normal", _bar(one["normal"]))
    known.add_row("  overload", _bar(one["overload"]))
    known.add_row("load", f"{one['load']:.2f}")
    known.add_row("ttl", cells["ttl"])
    estimate = one["false_hits"]
    known.add_row("false hits", f"{cells['false hits']}, {_counted(estimate['labels'], 'label')}")
    known.add_row("won", f"{cells['won']}: {cells['verdict']}")
    for name, value in one["policy"].items():
        known.add_row(f"policy {name}", plain(_policy_value(value)))
    console.print(known)


def _cells(one: Json) -> dict[str, str]:
    benefit = one["benefit"]
    return {
        "entries": f"{one['entries']:,}",
        "size": size(one["bytes"]),
        "share / entitled": f"{one['share']:.1%} / {one['entitlement']:.1%}",
        "lookups": f"{one['lookups']:,}",
        "hit rate": _percent(one["hit_rate"]),
        "threshold": _threshold(one["threshold"]),
        "overload": _threshold(one["overload"]["threshold"]),
        "ttl": duration(one["ttl"]),
        "false hits": _estimate(one["false_hits"]),
        "won": f"{_number(benefit['seconds'], 1)} s, ${_number(benefit['usd'], 2)}",
        "verdict": f"{benefit['verdict']}{', paused' if one['paused'] else ''}",
    }


def _bar(bar: Json) -> str:
    judged = f"{_counted(bar['labels'], 'label')}, {bar['errors']:,} wrong"
    return f"{_threshold(bar['threshold'])}, {bar['origin']} ({judged})"


def _estimate(estimate: Json) -> str:
    if estimate["ratio"] is None:
        return "unknown"
    return f"{estimate['ratio']:.1%} ({estimate['low']:.1%}–{estimate['high']:.1%})"


def _threshold(value: float | None) -> str:
    return "exact only" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _number(value: float | None, digits: int) -> str:
    return "?" if value is None else f"{value:,.{digits}f}"


def _counted(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count:,} {what}s"


def _policy_value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {each:g}" for name, each in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}"
