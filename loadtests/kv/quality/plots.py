"""Rate-distortion curves of one model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.kv.quality.frontier import Point, steady
from loadtests.kv.quality.measured import BF16_BITS, Findings, Measured, best
from loadtests.kv.quality.tables import LIMITS

LEAST_LOSS = 0.01
"""Per cent; what is below, or no loss at all, is drawn here."""
LEAST_KL = 1e-5
_BITS = (1, 1.5, 2, 3, 4, 6, 8, 12, 16)
_STYLES = {
    "transform": ("#c1121f", "o", 2.2),
    "cachegen": ("#0b6e99", "s", 2.2),
    "cachegen-released": ("#58a4b0", "D", 1.2),
    "kivi": ("#6a994e", "^", 1.2),
    "kivi-r128": ("#a7c957", "v", 1.2),
    "zstd": ("#7b5ea7", "P", 1.2),
    "fp8": ("#e09f3e", "X", 1.2),
    "int8": ("#333333", "*", 1.2),
    "lossless": ("#999999", "h", 1.2),
    "raw": ("#bbbbbb", ".", 1.2),
}


def draw(found: Findings, path: Path) -> None:
    """Write a picture of two panels: perplexity and KL over bits a value.

    Points are measured levels; lines join those worth choosing, for perplexity at the worst
    rise so far. What is below the
    least of an axis, or no loss at all, is drawn at the least.
    """
    figure = Figure(figsize=(12.5, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    _panel(left, found, by_kl=False)
    for limit in LIMITS:
        left.axhline(limit, color="#888888", linewidth=0.8, linestyle=":")
        left.annotate(f"{limit:g} %", (BF16_BITS, limit), fontsize=8, va="bottom", ha="right")
    _panel(right, found, by_kl=True)
    figure.legend(*right.get_legend_handles_labels(), loc="outside right center", frameon=False)
    figure.suptitle(f"{found.model}: size and quality of a compressed KV cache", fontsize=12)
    # Without a date and with fixed ids: the same figures give the same file.
    with mpl.rc_context({"svg.hashsalt": "kv-quality"}):
        figure.savefig(path, metadata={"Date": None})


def _panel(axes: Axes, found: Findings, *, by_kl: bool) -> None:
    for name, curve in found.curves.items():
        colour, marker, width = _STYLES[name]
        line = _line(curve, by_kl=by_kl)
        dots = [_point(m, by_kl=by_kl) for m in curve]
        axes.plot([p.bits for p in line], [p.loss for p in line], color=colour, linewidth=width)
        axes.plot(
            [p.bits for p in dots],
            [p.loss for p in dots],
            color=colour,
            marker=marker,
            markersize=6,
            linestyle="none",
            label=name,
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(_BITS, [f"{b:g}" for b in _BITS])
    axes.set_xticks([], minor=True)
    axes.set_xlim(left=None, right=BF16_BITS * 1.15)
    axes.set_xlabel("bits a value, everything counted (bf16: 16)")
    title = "KL to uncompressed, nats a token" if by_kl else "rise in perplexity, %"
    axes.set_title(title, fontsize=10)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.grid(visible=True, which="major", linewidth=0.4, color="#dddddd")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _line(curve: Sequence[Measured], *, by_kl: bool) -> list[Point]:
    points = [_point(m, by_kl=by_kl) for m in best(curve)]
    return points if by_kl else steady(points)


def _point(m: Measured, *, by_kl: bool) -> Point:
    point = m.by_kl if by_kl else m.by_loss
    return Point(point.bits, max(point.loss, LEAST_KL if by_kl else LEAST_LOSS))
