"""The report's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from loadtests.kv.cachegen.curves import bits_at, ratio_at
from loadtests.kv.cachegen.sizes import Spent
from loadtests.kv.cachegen.trial import Quality, Trial
from loadtests.kv.quality.intervals import loss_percent, mean
from loadtests.report import Bar, Section, at_most

BF16 = 16.0
Points = Sequence[tuple[str, float, Quality]]
"""Level, bits a value and what is lost."""


def levels(title: str, about: str, trials: Sequence[Trial], rng: np.random.Generator) -> Section:
    """Size and quality of each level."""
    rows = [
        (
            t.level,
            f"{t.bits:.3f}",
            f"{BF16 / t.bits:.2f}x",
            f"{t.quality.keys:.5f}",
            f"{t.quality.values:.5f}",
            _kl(t.quality, rng),
            _rise(t.quality, rng),
        )
        for t in trials
    ]
    head = ("level", "bits a value", "against bf16", "error K", "error V", "KL, mnat", "perplexity")
    return Section(title, about, head, rows)


def spending(trials: Sequence[Trial]) -> Section:
    """Say what the bits are spent on."""
    purposes = ("anchors", "scales", "values", "kept", "coder", "lengths", "container")
    rows = [
        (
            t.level,
            f"{t.bits:.3f}",
            *(f"{getattr(t.spent, p) / t.spent.coded:.4f}" for p in purposes),
        )
        for t in trials
    ]
    about = (
        "Bits a value over all values. `anchors`, `scales`, `deltas`: by the static tables. "
        "`kept`: values that no symbol stands for. `coder`: streams beyond what the tables say. "
        "`container`: header, checksums, positions."
    )
    head = ("level", "all", "anchors", "scales", "deltas", *purposes[3:])
    return Section("What the bits are spent on", about, head, rows)


def coder(named: Mapping[str, Mapping[str, Spent]]) -> Section:
    """Set the coder's bytes against entropies."""
    rows, bars = [], []
    for name, by_level in named.items():
        for level, spent in by_level.items():
            values, streams = spent.coded, spent.by_tables + spent.coder
            over = 100 * spent.coder / spent.by_tables
            rows.append(
                (
                    f"{name}, {level}",
                    f"{streams / values:.4f}",
                    f"{spent.by_tables / values:.4f}",
                    f"{spent.empirical / values:.4f}",
                    f"{over:.2f} %",
                    f"{100 * (spent.by_tables / spent.empirical - 1):.2f} %",
                )
            )
            bars.append(at_most(f"{name}, {level}: streams beyond their tables", over, 1, "%"))
    about = (
        "`by tables`: what an ideal coder spends with the static tables. `empirical`: what it "
        "would spend with this very text's own, entropy by layer and column; seen after the fact, "
        "so that it flatters: a column of anchors has 26 symbols a window. What the tables cost "
        "beyond it is mismatch, not the coder. The coder's own cost is the states of its lanes, "
        "about three bytes each of 58 a layer (direct: 32), whatever the layer's width and "
        "length: it weighs most in short chunks of narrow models, like the first rows'."
    )
    head = ("", "streams", "by tables", "empirical", "coder", "mismatch")
    return Section("The coder against the entropy", about, head, rows, bars)


def on_and_off(on: Sequence[Trial], off: Sequence[Trial]) -> Section:
    """Compare sizes with and without deltas at equal quality."""
    bits = [t.bits for t in off]
    by_kl = [float(np.mean(t.quality.kl)) for t in off]
    by_error = [_error(t.quality) for t in off]
    rows = []
    for t in on:
        kl, error = float(np.mean(t.quality.kl)), _error(t.quality)
        same = (bits_at(kl, bits, by_kl), bits_at(error, bits, by_error))
        rows.append((t.level, f"{t.bits:.3f}", *(_saved(t.bits, other) for other in same)))
    about = (
        "With deltas, and what the same quality takes without: tokens coded directly, no anchors, "
        "quantised by the same rule and with tables profiled for it; between its levels "
        "interpolated. `equal error`: the mean of the relative squared errors of keys and values."
    )
    head = ("level", "deltas", "direct, equal KL", "direct, equal error")
    return Section("Deltas on and off", about, head, rows)


def sharing(rows: Sequence[Sequence[str]], names: Sequence[str]) -> Section:
    """Say what tables for fewer than each channel cost."""
    about = (
        "Bits a value, and the calibration file of this model and of an 8B shape (32 layers, 8 KV "
        "heads of 128). The paper has a table for each channel; `classes` are joined across layers "
        "(`sharing.alike`), and keys and values of a layer share one each in the last rows."
    )
    return Section("Tables by channel, class and layer", about, ("tables", *names), rows)


def mismatch(rows: Sequence[Sequence[str]], names: Sequence[str]) -> Section:
    """Say what tables of another text cost."""
    about = (
        "Bits a value on WikiText-2 test, by what the tables (and the steps) were profiled on. "
        "`itself` has seen what it codes. As steps come from the profile too, quality differs a "
        "little: the relative squared error is in brackets."
    )
    return Section("Profiled on another text", about, ("profiled on", *names), rows)


def units(ours: Points, token: Points, rng: np.random.Generator) -> Section:
    """Compare the units of bins at equal bytes."""
    bits, losses = [b for _, b, _ in ours], [q.kl for _, _, q in ours]
    rows = []
    for (level, own, own_quality), (_, other, quality) in zip(ours, token, strict=True):
        ratio = ratio_at(other, quality.kl, bits, losses, rng)
        rows.append(
            (
                level,
                f"{own:.3f}",
                _kl(own_quality, rng),
                f"{other:.3f}",
                _kl(quality, rng),
                f"{ratio.value:.2f} ({ratio.low:.2f}–{ratio.high:.2f})" if ratio else "-",
            )
        )
    about = (
        "Bins in standard deviations of the channel, profiled (taken), or in root mean squares of "
        "the token's delta vector, sent with it. Bits by tables, without what streams and files "
        "add; both with the same anchors. Last column: KL of ours, interpolated to the size of the "
        "other, by the other's; bootstrap over windows. Below 1 the channel's is better. The "
        "choice was made on 24 chunks at the beginning of the same text, before this run."
    )
    head = ("level", "channel: bits", "KL, mnat", "token: bits", "KL, mnat", "KL at equal size")
    return Section("The unit of bins", about, head, rows)


def bar_of_size(trials: Sequence[Trial], int8: Trial, name: str, rng: np.random.Generator) -> Bar:
    """Say how much smaller than int8 the coarsest level is whose loss is surely at most 2 %."""
    good = [t.bits for t in trials if loss_percent(t.quality.rise, rng).high <= 2]
    most = int8.bits / min(good, default=np.inf)
    what = f"{name}: smaller than int8, interval of perplexity's rise up to 2 %"
    return Bar(what, ">= 3.5x", f"{most:.2f}x", most >= 3.5)


def _error(quality: Quality) -> float:
    return (quality.keys + quality.values) / 2


def _saved(bits: float, other: float | None) -> str:
    return "-" if other is None else f"{other:.3f} ({100 * (other / bits - 1):+.1f} %)"


def _kl(quality: Quality, rng: np.random.Generator) -> str:
    i = mean(quality.kl, rng)
    return f"{1e3 * i.value:.2f} ({1e3 * i.low:.2f}–{1e3 * i.high:.2f})"


def _rise(quality: Quality, rng: np.random.Generator) -> str:
    i = loss_percent(quality.rise, rng)
    return f"{i.value:+.2f} % ({i.low:+.2f}–{i.high:+.2f})"
