"""The demonstration's table, for people and as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cachemw.demo.client import Outcome

_COLOURS = {"exact": "green", "semantic": "cyan", "upstream": "yellow"}
# Narrower terminals go without some columns rather than break every row.
_WIDE = 165
HITS = ("exact", "semantic")
_VERDICT = len("guard: exclusive")


def print_table(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print a row for each request; a layer that is not the expected one stands out."""
    table = Table(header_style="bold", padding=(0, 1), box=box.SIMPLE)
    with_answers = console.width >= _WIDE
    table.add_column(
        "", style="dim", overflow="ellipsis" if with_answers else "fold", no_wrap=with_answers
    )
    table.add_column(
        "question", overflow="ellipsis" if with_answers else "fold", no_wrap=with_answers
    )
    # The figures keep their room; it is the texts that give way.
    table.add_column("layer", no_wrap=True, min_width=8)
    table.add_column("category", no_wrap=True, min_width=8)
    table.add_column("verdict", no_wrap=True, min_width=_VERDICT)
    for heading in ("total", "first byte", "saved") if with_answers else ("total",):
        table.add_column(heading, justify="right", no_wrap=True, min_width=max(8, len(heading)))
    if with_answers:
        table.add_column("answer", overflow="ellipsis", no_wrap=True, max_width=40)
    for outcome in outcomes:
        cells = _cells(outcome, _upstream_seconds(outcomes, outcome))
        table.add_row(*(cells if with_answers else cells[:-3]))
    console.print(table)
    console.print(
        "verdict: the verifier's score of the nearest question against what the category asks for, "
        "or the guard that found a difference."
    )


def print_summary(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Print how much was saved, and anything that was not as expected."""
    hits = [o for o in outcomes if o.layer in HITS]
    saved = sum(_saved(outcomes, o) or 0.0 for o in hits)
    console.print(
        f"{len(hits)} of {len(outcomes)} requests answered from the cache, "
        f"{_milliseconds(saved)} of waiting saved."
    )
    for outcome in outcomes:
        if not outcome.as_expected:
            console.print(
                f"[bold red]not as expected:[/] '{outcome.step.question}' ({outcome.step.what}) "
                f"came from {outcome.layer}, expected {outcome.step.layer}"
            )


def print_json(outcomes: Sequence[Outcome]) -> None:
    """Print a JSON object a line; times in seconds."""
    for outcome in outcomes:
        line = {
            "what": outcome.step.what,
            "tenant": outcome.step.tenant,
            "question": outcome.step.question,
            "stream": outcome.step.stream,
            "layer": outcome.layer,
            "expected": outcome.step.layer,
            "category": outcome.category,
            "decision": outcome.decision,
            "first_byte_seconds": round(outcome.first_byte, 6),
            "total_seconds": round(outcome.total, 6),
            "saved_seconds": _saved(outcomes, outcome),
            "answer": outcome.answer,
        }
        print(json.dumps(line))


def _cells(outcome: Outcome, upstream: float | None) -> tuple[Text | str, ...]:
    step = outcome.step
    who = f"{step.tenant}: {step.what}"
    colour = _COLOURS.get(outcome.layer, "white") if outcome.as_expected else "bold red"
    saved = "" if upstream is None else _milliseconds(upstream - outcome.total)
    return (
        who,
        Text(step.question),
        Text(outcome.layer, style=colour),
        # Known once the question has been read for its meaning.
        "" if outcome.decision["outcome"] == "no_lookup" else outcome.category,
        _verdict(outcome.decision),
        _milliseconds(outcome.total),
        _milliseconds(outcome.first_byte),
        saved,
        Text(outcome.answer),
    )


def _verdict(decision: Mapping[str, str]) -> str:
    """Say what spoke for or against the nearest question; empty where none was near."""
    if "guard" in decision:
        return f"guard: {decision['guard']}"
    if "score" not in decision:
        return ""
    sign = ">=" if decision["outcome"] == "served" else "<"
    return f"{float(decision['score']):.3f} {sign} {float(decision['threshold']):.2f}"


def _saved(outcomes: Sequence[Outcome], outcome: Outcome) -> float | None:
    upstream = _upstream_seconds(outcomes, outcome)
    return None if upstream is None else round(upstream - outcome.total, 6)


def _upstream_seconds(outcomes: Sequence[Outcome], hit: Outcome) -> float | None:
    """Return how long the model took for the answer that a hit replayed; None for no hit."""
    if hit.layer not in HITS:
        return None
    same = (
        o.total
        for o in outcomes
        if o.layer == "upstream" and o.answer == hit.answer and o.step.tenant == hit.step.tenant
    )
    return next(same, None)


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"
