"""Tables of one model's findings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from loadtests.kv.quality.frontier import Point, interpolated, ratios, steady
from loadtests.kv.quality.frontier import measured as best_measured
from loadtests.kv.quality.intervals import Interval
from loadtests.kv.quality.measured import BF16_BITS, Findings, Measured, Probed, best
from loadtests.kv.quality.subjects import PLANS
from loadtests.report import Bar, Row, Section
from loadtests.threshold.quality import Share

LIMITS = (1.0, 2.0)
_NONE = "–"


def sections(found: Findings) -> list[Section]:
    """All tables of a model; bars stand with the summary."""
    made = [summary(found), points(found)]
    if found.longer:
        made.append(longer(found))
    if found.parts:
        made.append(parts(found))
    return made + [probes(found, task) for task in found.probes]


def points(found: Findings) -> Section:
    """Every level of every codec."""
    int8 = found.bits_of("int8")
    rows = [
        (
            name,
            m.result.level,
            f"{m.bits:.2f}",
            f"{BF16_BITS / m.bits:.2f}",
            f"{int8 / m.bits:.2f}" if int8 else _NONE,
            _percent(m.loss),
            _nats(m.kl),
        )
        for name, curve in found.curves.items()
        for m in curve
    ]
    whole, alone = (_mean(nats) for nats in (found.reference.whole, found.reference.alone))
    about = (
        f"{found.about} Uncompressed perplexity {math.exp(whole):.2f}; with none of the prefix "
        f"{math.exp(alone):.2f}, {100 * math.expm1(alone - whole):+.1f} %."
    )
    head = (
        "codec", "level", "bits a value", "smaller than bf16", "smaller than int8",
        "perplexity", "KL, nats a token",
    )  # fmt: skip
    return Section(f"{found.model}: every point", about, head, rows)


def summary(found: Findings) -> Section:
    """Say how small each codec gets within a loss, and whether that meets the targets."""
    rows: list[Row] = []
    for name, curve in found.curves.items():
        cells = []
        for limit in LIMITS:
            losses = _losses(curve)
            sure = steady([Point(m.bits, m.loss.high) for m in best(curve)])
            cells += [
                _ratio(interpolated(losses, limit)),
                _ratio(best_measured(losses, limit)),
                _ratio(best_measured(sure, limit)),
            ]
        rows.append((name, *cells))
    about = (
        "How many times smaller than bf16 a codec gets while perplexity rises by no more than 1 % "
        "or 2 %: on its curve, interpolated in the logarithm of the size; at the best level "
        "measured; at the best level whose whole interval keeps the limit. Of levels that are "
        "beaten in size and KL by another of the same codec none counts, and a level counts with "
        "the worst loss of all finer ones: what falls where more is thrown away is noise. "
        f"{_worth(found)}"
    )
    head = ("codec", *(f"{limit:g} %, {how}" for limit in LIMITS for how in _HOW))
    return Section(f"{found.model}: ratio at a loss", about, head, rows, bars(found))


_HOW = ("curve", "measured", "sure")


def bars(found: Findings) -> list[Bar]:
    """Judge the targets of KV codecs, as far as what they compare was measured."""
    made: list[Bar] = []
    if not PLANS[found.model].judged:
        return made
    int8 = found.bits_of("int8")
    if int8 and "cachegen" in found.curves:
        bits = _at(found, "cachegen", 2.0)
        made.append(_bar(f"{found.model}: cachegen against int8 at 2 % loss", int8, bits, 3.5))
    if "transform" in found.curves:
        for limit, wanted in ((2.0, 7.0), (1.0, 6.0)):
            bits = _at(found, "transform", limit)
            what = f"{found.model}: transform against bf16 at {limit:g} % loss"
            made.append(_bar(what, BF16_BITS, bits, wanted))
    if "transform" in found.curves and "cachegen" in found.curves:
        ours, theirs = ([m.by_kl for m in found.curves[n]] for n in ("transform", "cachegen"))
        found_ratios = ratios(ours, theirs)
        if found_ratios:
            worst = max(found_ratios)
            what = (
                f"{found.model}: transform's size by cachegen's at equal KL, the worst of "
                f"{len(found_ratios)} of {len(theirs)} levels (others are finer than its "
                "finest)"
            )
            made.append(Bar(what, "<= 1", f"{worst:.2f}", worst <= 1))
    return made


def longer(found: Findings) -> Section:
    """Tabulate levels in longer pieces."""
    rows = [
        (m.result.codec, m.result.level, str(m.result.chunk), f"{m.bits:.2f}", _percent(m.loss),
         _nats(m.kl))
        for m in found.longer
    ]  # fmt: skip
    head = ("codec", "level", "tokens a file", "bits a value", "perplexity", "KL, nats a token")
    about = "What a file of 256 tokens costs more than one of 512 or 1024: headers and tables."
    return Section(f"{found.model}: longer files", about, head, rows)


def parts(found: Findings) -> Section:
    """Keys and values apart."""
    rows = []
    for m in found.parts:
        both = next(b for b in found.curves[m.result.codec] if b.result.level == m.result.level)
        share = m.kl.value / both.kl.value if both.kl.value else 0.0
        rows.append(
            (m.result.codec, m.result.level, m.result.part, _percent(m.loss), _nats(m.kl),
             f"{share:.0%}")
        )  # fmt: skip
    about = "Only the keys, or only the values, are compressed; the others stay as they are."
    head = ("codec", "level", "compressed", "perplexity", "KL, nats a token", "of both's KL")
    return Section(f"{found.model}: keys and values apart", about, head, rows)


def probes(found: Findings, task: str) -> Section:
    """Tabulate a task with right answers."""
    rows = [_probe_row(p, task) for p in found.probes[task]]
    count = len(found.probes[task][0].result.scores)
    head = ("codec", "level", "bits a value", "right", "change, points")
    return Section(f"{found.model}: {task}", _TASKS[task].format(count=count), head, rows)


_TASKS = {
    "copying": (
        "{count} prefixes of which a passage of 128 tokens is read again: the share of its last 96 "
        "tokens that the model foresees. Intervals over prefixes; the change is paired."
    ),
    "lookup": (
        "{count} contexts: four facts of one form, with different codes, between passages of text; "
        "one is read again up to its code: right is where all five digits are the likeliest. "
        "Wilson's interval; the change is paired."
    ),
    "recall": (
        "{count} contexts with facts, a question and its answer read fresh: right is where every "
        "token of the answer is the likeliest. Wilson's interval; the change is paired."
    ),
}


def _probe_row(p: Probed, task: str) -> Row:
    score = p.score
    if task != "copying":
        share = Share(round(sum(p.result.scores)), len(p.result.scores))
        score = Interval(share.value, *share.interval)
    return (
        p.result.codec,
        p.result.level,
        f"{p.result.bits:.2f}",
        f"{100 * score.value:.1f} % ({100 * score.low:.1f} to {100 * score.high:.1f})",
        f"{100 * p.change.value:+.1f} ({100 * p.change.low:+.1f} to {100 * p.change.high:+.1f})",
    )


def _at(found: Findings, codec: str, limit: float) -> float | None:
    return interpolated(_losses(found.curves[codec]), limit)


def _worth(found: Findings) -> str:
    """Say what a loss is a share of: a model that hardly uses its cache hides any damage."""
    whole, alone = (_mean(nats) for nats in (found.reference.whole, found.reference.alone))
    worth = 100 * math.expm1(alone - whole)
    if worth <= 0:
        return "The prefix is worth nothing to this model: its perplexity says nothing here."
    return (
        f"Without any of the prefix perplexity is {worth:+.1f} %, so that a rise of 2 % is "
        f"{LIMITS[-1] / worth:.0%} of what the cache is worth."
    )


def _losses(curve: Sequence[Measured]) -> list[Point]:
    return steady([m.by_loss for m in best(curve)])


def _bar(what: str, whole: float, bits: float | None, wanted: float) -> Bar:
    if bits is None:
        return Bar(what, f">= {wanted:g}", "no level keeps it", met=False)
    return Bar(what, f">= {wanted:g}", f"{whole / bits:.2f}", whole / bits >= wanted)


def _ratio(bits: float | None) -> str:
    return _NONE if bits is None else f"{BF16_BITS / bits:.2f}"


def _percent(loss: Interval) -> str:
    return f"{loss.value:+.2f} % ({loss.low:+.2f} to {loss.high:+.2f})"


def _nats(kl: Interval) -> str:
    return f"{kl.value:.2g} ({kl.low:.2g} to {kl.high:.2g})"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
