"""Entries on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from rich import box
from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

Json = dict[str, Any]

_SHORT_ID = 12
_NAME = 32
_NAMES = ("tenant", "model", "endpoint", "category", "tags")
# A narrow terminal does without some columns rather than cut all of them.
_NAMES_THAT_FIT = ("model", "tags")
_WIDE = 120
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def print_entries(console: Console, entries: Sequence[Json], now: float) -> None:
    """Print a row for each entry. `now` in Unix seconds."""
    names = _NAMES if console.width >= _WIDE else _NAMES_THAT_FIT
    table = Table(header_style="bold", padding=(0, 1), box=box.SIMPLE)
    table.add_column("id", no_wrap=True, min_width=_SHORT_ID)
    for heading in names:
        table.add_column(heading, no_wrap=True, overflow="ellipsis", max_width=_NAME)
    for heading in ("age", "expires in", "size"):
        table.add_column(heading, no_wrap=True, justify="right", min_width=len(heading))
    for entry in entries:
        row = {**entry, "tags": ", ".join(entry["tags"])}
        table.add_row(
            entry["id"][:_SHORT_ID],
            *(plain(row[name]) for name in names),
            duration(now - entry["created_at"]),
            duration(entry["expires_at"] - now),
            size(entry["size"]),
        )
    console.print(table)


def print_entry(console: Console, entry: Json, now: float) -> None:
    """Print a whole entry: what is known of it, its prompt, its answer."""
    known = Table.grid(padding=(0, 2))
    known.add_column(style="bold")
    known.add_column(overflow="fold")
    for name in ("id", "tenant", "model", "endpoint", "category"):
        known.add_row(name, plain(entry[name]))
    known.add_row("tags", plain(", ".join(entry["tags"])))
    known.add_row("age", duration(now - entry["created_at"]))
    known.add_row("expires in", duration(entry["expires_at"] - now))
    tokens = f"{entry['prompt_tokens']} in, {entry['completion_tokens']} out"
    known.add_row("cost", f"{tokens}, {entry['upstream_seconds']:.2f} s upstream")
    known.add_row("in the index", "yes" if entry["fingerprint"] else "no")
    console.print(known)
    console.print(Rule("prompt", align="left", style="dim"))
    console.print(plain(entry["prompt"]) if entry["prompt"] else "[dim](none kept)[/]")
    console.print(Rule("answer", align="left", style="dim"))
    console.print(plain(answer_text(entry["answer"])))


def print_refusals(console: Console, counts: Json) -> None:
    """Print what is wrong with lines that an import refused, as far as it was told."""
    for fault in counts["faults"]:
        where = f"line {fault['line']}" + (f", {fault['field']}" if fault["field"] else "")
        console.print(plain(f"{where}: {fault['message']}"))
    untold = counts["refused"] - len(counts["faults"])
    if untold:
        console.print(f"and {untold:,} more lines refused.")


def answer_text(answer: Json) -> str:
    """Return what a chat answer says; of any other answer its JSON."""
    try:
        (choice,) = answer["choices"]
        text = choice["message"]["content"]
    except (KeyError, TypeError, ValueError):
        text = None
    if isinstance(text, str) and text:
        return text
    return orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode()


def plain(text: str) -> Text:
    """Return a text of others fit for a terminal: no markup, no control characters."""
    return Text("".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text))


def duration(seconds: float) -> str:
    """Return a time in its largest unit."""
    whole = max(0, int(seconds))
    divisor, unit = next(((d, u) for d, u in _UNITS if whole >= d), _UNITS[-1])
    return f"{whole // divisor} {unit}"


def size(count: float) -> str:
    """Return a number of bytes."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def counted(count: int) -> str:
    """Return `count` entries in words."""
    return "1 entry" if count == 1 else f"{count:,} entries"
