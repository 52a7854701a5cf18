"""What the lab model knows: hand-written tables, one TOML file per topic.

A file holds relations. Each has `columns`, `rows`, question phrasings for training (`train`) and
for testing only (`held_out`), an `answer`, the `key` that every right answer contains, and
optionally a one-word `short` answer and a `follow_up` question. All are templates over the
columns. A cell may list alternatives, `the USA|America`: questions use any, answers the first.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Fact:
    """One row of a relation: a question in many wordings, and its one answer."""

    topic: str
    train: tuple[str, ...]
    held_out: tuple[str, ...]
    cells: dict[str, tuple[str, ...]]
    """Alternatives per column."""
    answer: str
    key: str
    short: str | None
    follow_up: str | None


@dataclass(frozen=True)
class Relation:
    """Facts that share their phrasings, and so can follow up on one another."""

    topic: str
    facts: tuple[Fact, ...]


def load_relations() -> list[Relation]:
    """Every relation of every table, in the order of file names."""
    tables = sorted(
        (entry for entry in resources.files(__name__).iterdir() if entry.name.endswith(".toml")),
        key=lambda entry: entry.name,
    )
    return [
        _relation(table.name.removesuffix(".toml"), raw)
        for table in tables
        for raw in tomllib.loads(table.read_text(encoding="utf-8"))["relation"]
    ]


def _relation(topic: str, raw: dict[str, object]) -> Relation:
    columns, rows = raw["columns"], raw["rows"]
    if not isinstance(columns, list) or not isinstance(rows, list):
        message = f"{topic}: columns and rows must be lists"
        raise TypeError(message)
    return Relation(topic, tuple(_fact(topic, raw, columns, row) for row in rows))


def _fact(topic: str, raw: dict[str, object], columns: list[str], row: list[str]) -> Fact:
    if len(row) != len(columns):
        message = f"{topic}: {row} does not fill {columns}"
        raise ValueError(message)
    cells = {
        column: tuple(part.strip() for part in cell.split("|"))
        for column, cell in zip(columns, row, strict=True)
    }
    first = {column: parts[0] for column, parts in cells.items()}

    def fill(field: str) -> str | None:
        template = raw.get(field)
        return template.format(**first) if isinstance(template, str) else None

    answer = fill("answer") or ""
    return Fact(
        topic=topic,
        train=_strings(raw["train"]),
        held_out=_strings(raw["held_out"]),
        cells=cells,
        answer=answer[:1].upper() + answer[1:],
        key=fill("key") or "",
        short=fill("short"),
        follow_up=raw["follow_up"] if isinstance(raw.get("follow_up"), str) else None,  # type: ignore[arg-type]
    )


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        message = f"expected a list of strings, got {value!r}"
        raise TypeError(message)
    return tuple(str(item) for item in value)
