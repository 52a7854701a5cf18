"""What was found, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from cachemw.calibrate.curve import Point, served_at
from cachemw.calibrate.judge import Decider, Judged
from cachemw.calibrate.pairs import Pair

LIMITS = (0.01, 0.03, 0.05)
_CAUTION = (
    "The share of wrong answers depends on the base rate: where fewer of the nearest stored "
    "questions are duplicates than here, more of what is served is wrong. The thresholds were "
    "chosen on these pairs; for a figure to rely on, look them up on pairs that were held back."
)


@dataclass(frozen=True, slots=True)
class Findings:
    """All that is said of one file of pairs; the keys of `curves` are `plain_cosine`, ..."""

    pairs: int
    duplicates: int
    embedder: str
    scale: str
    floor: float
    never_served: Mapping[str, Any]
    curves: Mapping[str, tuple[Point, ...]]

    @property
    def base_rate(self) -> float:
        """The share of duplicates."""
        return self.duplicates / self.pairs


def findings(decider: Decider, pairs: Sequence[Pair], judged: Judged) -> Findings:
    """Choose the thresholds."""
    same = np.array([pair.same for pair in pairs], dtype=np.bool_)
    return Findings(
        pairs=len(pairs),
        duplicates=int(np.count_nonzero(same)),
        embedder=f"{decider.embedder.name} {decider.embedder.fingerprint}",
        scale=decider.scale,
        floor=decider.floor,
        never_served={
            "too_long": judged.cut,
            "below_floor": judged.below_floor,
            "objected": dict(sorted(judged.objected.items())),
            "unscored": judged.unscored,
        },
        curves={
            "plain_cosine": served_at(judged.cosines, same, LIMITS),
            "full_decision": served_at(judged.scores, same, LIMITS),
        },
    )


def as_json(found: Findings) -> dict[str, Any]:
    """Return one object; its keys are documented in `cachemw calibrate --help`."""
    return {
        "pairs": found.pairs,
        "duplicates": found.duplicates,
        "base_rate": found.base_rate,
        "embedder": found.embedder,
        "scale": found.scale,
        "floor": found.floor,
        "never_served": dict(found.never_served),
        **{
            name: {f"{point.limit:.0%}": _point(point) for point in points}
            for name, points in found.curves.items()
        },
    }


def print_findings(out: Console, found: Findings) -> None:
    """Print the table and what it does not say."""
    refused = found.never_served
    objected = sum(refused["objected"].values())
    guards = ", ".join(f"{name} {count}" for name, count in refused["objected"].items())
    out.print(
        f"{found.pairs:,} pairs, {found.duplicates:,} of them duplicates "
        f"({found.base_rate:.1%}). Embedder {found.embedder}."
    )
    out.print(
        f"Never served: {refused['below_floor']:,} below a cosine of {found.floor:g}, "
        f"{objected:,} objected to{f' ({guards})' if guards else ''}, {refused['too_long']:,} too "
        f"long, {refused['unscored']:,} without a score. Scores: {found.scale}."
    )
    out.print(_table(found))
    out.print(_CAUTION)


def _table(found: Findings) -> Table:
    table = Table(header_style="bold", box=box.SIMPLE)
    table.add_column("wrong at most")
    for heading in ("decided by", "threshold", "duplicates served", "wrong among served", "served"):
        table.add_column(heading, justify="left" if heading == "decided by" else "right")
    for row in range(len(LIMITS)):
        for name, points in found.curves.items():
            point = points[row]
            some = point.threshold is not None
            table.add_row(
                f"{point.limit:.0%}",
                name.replace("_", " "),
                f"{point.threshold:.4f}" if some else "none",
                _share(point.duplicates_served, point.duplicates_interval),
                _share(point.wrong_share, point.wrong_interval) if some else "",
                f"{point.served:,}",
            )
    return table


def _share(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.1%} ({interval[0]:.1%}–{interval[1]:.1%})"


def _point(point: Point) -> dict[str, Any]:
    return {
        "threshold": point.threshold,
        "duplicates_served": point.duplicates_served,
        "duplicates_served_interval": list(point.duplicates_interval),
        "wrong": point.wrong_share,
        "wrong_interval": list(point.wrong_interval),
        "served": point.served,
        "errors": point.wrong,
    }
