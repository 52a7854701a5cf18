"""Runs every policy on every stream and says what came of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from cachemw_policies.shadowing import ShadowSettings
from cachemw_policies.thresholds import GuaranteeSettings

from loadtests.guarantee.data import Judged
from loadtests.guarantee.serve import Pooled, Run, fixed, policy_of, verified
from loadtests.guarantee.streams import STREAMS, Stream, stream
from loadtests.report import Bar, Row, Section, machine, render
from loadtests.threshold.quality import Share

DELTAS = (0.01, 0.03, 0.05)
COSINE, SCORE = 0.95, 0.97
#: Runs of vCache, as a share of those of the others: it fits a curve for each entry.
_FEWER = 0.1
_HELD = 0.95
DEFAULT = "pooled, probation"
_HEAD = (
    "policy",
    "delta",
    "runs within delta",
    "wrong of served",
    "worst run",
    "found",
    "checks",
    "first hit",
    "drifts",
)

Policy = Callable[[Stream, float, np.random.Generator], Run]


@dataclass(frozen=True, slots=True)
class Plan:
    """How many streams of each kind, how long, and where their randomness begins."""

    runs: int = 200
    lookups: int = 15_000
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """All runs of one policy at one delta."""

    delta: float
    runs: Sequence[Run]

    @property
    def within(self) -> Share:
        """Of the runs, those whose realised false-hit rate is within delta."""
        return Share(sum(run.wrong_share <= self.delta for run in self.runs), len(self.runs))

    def row(self, name: str) -> Row:
        """Return the table's row."""
        low, high = self.within.interval
        firsts = [run.lookups if run.first is None else run.first for run in self.runs]
        never = sum(run.first is None for run in self.runs) / len(self.runs)
        first = "never" if never > 0.5 else f"{np.median(firsts):.0f}"
        return (
            name,
            f"{self.delta:.0%}",
            f"{self.within.value:.1%} ({low:.0%}–{high:.0%})",
            _mean([run.wrong_share for run in self.runs], 2),
            f"{max(run.wrong_share for run in self.runs):.1%}",
            _mean([run.found_share for run in self.runs], 1),
            _mean([run.checks / run.lookups for run in self.runs], 1),
            first,
            f"{np.mean([run.drifts for run in self.runs]):.1f}",
        )


def pooled(**changes: object) -> Policy:
    """Return the pooled policy with some settings changed."""
    policy = Pooled(replace(GuaranteeSettings(), **changes), ShadowSettings())  # type: ignore[arg-type]
    return lambda lookups, delta, rng: policy.run(lookups, policy_of(delta, SCORE), rng)


POLICIES: Mapping[str, Policy] = {
    f"cosine {COSINE}": lambda lookups, _, __: fixed(lookups, lookups.cosines, COSINE),
    f"score {SCORE}": lambda lookups, _, __: fixed(lookups, lookups.scores, SCORE),
    DEFAULT: pooled(),
    "pooled, threshold": pooled(cold_start="threshold"),
    "vCache": verified,
}


def outcome(
    name: str, policy: Policy, pairs: Judged, delta: float, plan: Plan, noise: float = 0.0
) -> Outcome:
    """Let a policy serve the streams of a kind; every policy gets the same ones."""
    number = round(plan.runs * _FEWER) if policy is verified else plan.runs
    kind = list(STREAMS).index(name)
    found = []
    for run in range(max(1, number)):
        key = (plan.seed, kind, run)
        lookups = stream(STREAMS[name], pairs, plan.lookups, np.random.default_rng(key), noise)
        found.append(policy(lookups, delta, np.random.default_rng((*key, 1))))
    return Outcome(delta, found)


def judge(
    name: str,
    pairs: Judged,
    plan: Plan,
    policies: Mapping[str, Policy],
    deltas: Sequence[float] = DELTAS,
    noise: float = 0.0,
) -> dict[tuple[str, float], Outcome]:
    """Judge policies on one kind of stream."""
    print(f"... {name}", file=sys.stderr, flush=True)
    found = {}
    for label, policy in policies.items():
        # A fixed threshold does not know delta: its runs are the same.
        once = None
        for delta in deltas:
            if once is not None and policy in _FIXED:
                found[label, delta] = Outcome(delta, once)
                continue
            result = outcome(name, policy, pairs, delta, plan, noise)
            once = result.runs
            found[label, delta] = result
    return found


_FIXED = tuple(POLICIES.values())[:2]


def section(title: str, about: str, found: Mapping[tuple[str, float], Outcome]) -> Section:
    """Return a table of what was found."""
    rows = [result.row(label) for (label, _), result in found.items()]
    return Section(title, about, _HEAD, rows)


def bars(name: str, found: Mapping[tuple[str, float], Outcome]) -> list[Bar]:
    """Return the bars of the default policy on one kind of stream."""
    made = []
    for delta in DELTAS:
        within = found[DEFAULT, delta].within
        made.append(
            Bar(
                f"{name}: runs within {delta:.0%}",
                f">= {_HELD:.0%}",
                f"{within.value:.1%}",
                within.value >= _HELD,
            )
        )
    return made


def report(pairs: Judged, scores: str, plan: Plan, day: str, part: str) -> str:
    """Judge everything and return the whole report."""
    sections = []
    all_found = {}
    for name in STREAMS:
        repeats = name == "repeated entries"
        some = {k: v for k, v in POLICIES.items() if v is not verified or repeats}
        found = all_found[name] = judge(name, pairs, plan, some)
        made = section(name.capitalize(), _ABOUT[name], found)
        sections.append(replace(made, bars=bars(name, found)))
    sections = [worth(all_found), _scores(pairs), *sections]
    sections += [_noise(pairs, plan), _looks(pairs, plan, all_found)]
    return render("Thresholds that labels prove", _conditions(scores, plan, day, part), sections)


_ABOUT: Mapping[str, str] = {
    "as it is": "Pairs as they are.",
    "20 % duplicates": "Of the candidates 20 % are duplicates, the others as hard.",
    "68 % duplicates": "Of the candidates 68 % are duplicates, the others as hard.",
    "46 %, then 15 % duplicates": "The base rate falls midway.",
    "short, then long questions": (
        "The first half asks short questions, 46 % of them duplicates; the second long ones, 30 %."
    ),
    "then harder others": (
        "40 % duplicates; from midway on the others are the third that is nearest by cosine."
    ),
    "repeated entries": (
        "Only clusters of at least six pairs, each taken for one entry that is asked for again "
        "and again, some much more often. Lookups repeat, as a pair is drawn more than once."
    ),
}


def worth(found: Mapping[str, Mapping[tuple[str, float], Outcome]]) -> Section:
    """Say how much of the bars is owed to serving nothing."""
    rows = []
    for name, outcomes in found.items():
        for delta in DELTAS:
            made = outcomes[DEFAULT, delta]
            serving = [run for run in made.runs if run.served]
            hits = f"{np.median([run.served for run in serving]):.0f}" if serving else ""
            within = _share(Outcome(delta, serving).within) if serving else ""
            share = f"{len(serving) / len(made.runs):.1%}"
            rows.append((f"{name}: {delta:.0%}", share, within, hits))
    about = (
        "**Where hardly a run serves, a bar is passed by serving nothing.** Here only runs of the "
        f"default ({DEFAULT}) that serve at all; where these are few, or their hits are, one error "
        "more or less decides, and what is promised for all runs does not hold for these alone."
    )
    head = ("stream: delta", "runs that serve", "of these within delta", "hits, median")
    return Section("What the bars are worth", about, head, rows)


def _scores(pairs: Judged) -> Section:
    rows = []
    for threshold in (0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995):
        served = pairs.scores >= threshold
        wrong = Share(int(np.count_nonzero(served & ~pairs.same)), int(served.sum()))
        found = Share(int(np.count_nonzero(served & pairs.same)), int(pairs.same.sum()))
        rows.append((f"{threshold:g}", _share(wrong), _share(found), str(wrong.whole)))
    about = f"{len(pairs)} pairs, {pairs.same.mean():.1%} of them duplicates."
    return Section(
        "The scores", about, ("threshold", "wrong of served", "duplicates served", "served"), rows
    )


def _noise(pairs: Judged, plan: Plan) -> Section:
    name = "as it is"
    found = judge(name, pairs, plan, {DEFAULT: POLICIES[DEFAULT]}, DELTAS[1:], noise=0.03)
    about = (
        f"As '{name}', and 3 % of the labels are flipped at random, as if comparing two answers "
        "were wrong that often. `wrong of served` is by the true labels."
    )
    return section("Noisy labels", about, found)


def _looks(
    pairs: Judged, plan: Plan, found: Mapping[str, Mapping[tuple[str, float], Outcome]]
) -> Section:
    rows = []
    delta = 0.03
    for name in ("as it is", "20 % duplicates", "46 %, then 15 % duplicates"):
        once = judge(name, pairs, plan, {"one look": pooled(anytime=False)}, (delta,))
        rows.append(found[name][DEFAULT, delta].row(f"{name}: martingale"))
        rows.append(once["one look", delta].row(f"{name}: bound of one look"))
    about = (
        "The same policy with Clopper-Pearson bounds, which hold for one look, looked at again and "
        "again all the same."
    )
    return Section("What looking again and again does", about, _HEAD, rows)


def _conditions(scores: str, plan: Plan, day: str, part: str) -> str:
    settings, shadow = GuaranteeSettings(), ShadowSettings()
    return (
        f"{day}, {machine(('cachemw', 'numpy', 'scipy'))}. Command: `python -m "
        f"loadtests.guarantee`. Data: the {part} part of pairs of real questions from Quora, which "
        f"the verifier has not learnt from. Scores: {scores}. {plan.runs} streams of "
        f"{plan.lookups} lookups of each kind, the same for every policy "
        f"({round(plan.runs * _FEWER)} for vCache); 30 % of the lookups find no "
        "candidate. Streams are drawn with replacement. Settings were chosen on the calibration "
        "part.\n\n"
        "A served hit is checked with the policy's probability; a candidate that is not served is "
        "judged at no cost, as its answer is fetched anyway. `Runs within delta`: runs whose share "
        "of wrong answers among all served is at most delta, those that serve nothing included, "
        "with its 95 % Wilson interval. `Wrong of served` and `found` (of lookups with a right "
        "answer there, those that got it) are means over runs with 95 % intervals, `checks` "
        "upstream calls made to check as a share of lookups, `first hit` the median number of "
        "lookups before it, `drifts` alarms per run.\n\n"
        f"Settings: alpha {settings.alpha}, margin {settings.margin}, starts {settings.starts}, "
        f"window {settings.window}, recent {settings.recent}, alarm {settings.alarm}, hot "
        f"{settings.hot:g}; checks: dense {shadow.dense}, then from {shadow.wide} to "
        f"{shadow.narrow} of delta down to {shadow.share:.0%}. vCache promises that at most delta "
        "of *all lookups* are answered wrongly, not of those served, and is judged here by the "
        "latter like the others. It is on the stream of repeated entries alone: elsewhere hardly "
        "any entry is asked for often enough to have a curve."
    )


def _mean(values: Sequence[float], digits: int) -> str:
    spread = 1.96 * float(np.std(values)) / len(values) ** 0.5
    return f"{float(np.mean(values)):.{digits}%} ±{spread * 100:.{digits}f}"


def _share(share: Share) -> str:
    low, high = share.interval
    return f"{share.value:.1%} ({low:.1%}–{high:.1%})"
