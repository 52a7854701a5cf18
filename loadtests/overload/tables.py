"""What adaptation did under overload, as a report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cachemw_policies.adaptation import AdaptationSettings
from cachemw_policies.load import LoadSettings

from loadtests.overload.compare import LENGTH, OVERLOADED, Between, Question
from loadtests.overload.replay import HIT_S
from loadtests.overload.scores import COSINE, Held
from loadtests.overload.traffic import Mix
from loadtests.report import Bar, Section, machine, render

ByWay = Mapping[str, Mapping[str, Between]]
JUDGED = "threshold, TTL"
"""The way that the bars are about: what the service does where nobody tells it a capacity."""
_LEAST_TAKEN = 0.09


@dataclass(frozen=True, slots=True)
class Done:
    """All results: by offered load, and by share of near questions at one load."""

    by_load: Mapping[float, ByWay]
    by_near: Mapping[float, ByWay]
    near_at_load: float
    seeds: tuple[int, int]


def report(done: Done, question: Question, held: Held, mix: Mix, command: str) -> str:
    """Return the whole report."""
    sections = [_by_load(load, ways) for load, ways in done.by_load.items()]
    sections.append(_by_near(done))
    about = "\n\n".join(
        (
            f"{command} {machine(('cachemw', 'numpy'))}.",
            _simulated(question, done, mix),
            _thresholds(question, held),
            _columns(),
        )
    )
    return render("Load adaptation on a real arrival trace", about, sections)


def _simulated(question: Question, done: Done, mix: Mix) -> str:
    capacity, policy = question.capacity, question.policy
    return (
        "**A simulation with the service's own policies**: `decide`, `adapted` and the averages of "
        "`LoadFigures` with their default settings, on a simulated clock. Arrivals, prompt and "
        f"answer lengths: a production service's hour (`azure-conv.jsonl.gz`), {LENGTH} requests "
        f"in a row from a place drawn by seed, {done.seeds[0]} seeds, time compressed so that they "
        "ask for the given multiple of what the upstream can do on the average. **Assumed, not "
        f"measured**: {capacity.slots} slots, first come first served, up to {capacity.waiting} "
        f"calls waiting, further ones turned away; {capacity.first_s:g} s + prompt at "
        f"{capacity.prompt_tokens_s:g} tokens/s + answer at {capacity.answer_tokens_s:g} tokens/s; "
        f"a hit takes {HIT_S * 1e3:g} ms. {mix.near:.0%} of the requests have a near stored "
        "question: a held-out pair of real questions, drawn at random, whose label says whether "
        "the stored answer is right; the others have none and exact repeats are left out. Ages of "
        f"stored answers are exponential, {mix.mean_age_s / 3600:g} h on the average; TTL "
        f"{policy.ttl / 3600:g} h, under overload up to {policy.ttl_overload / 3600:g} h."
    )


def _thresholds(question: Question, held: Held) -> str:
    policy, state = question.policy, question.state
    scale = (
        "**Scores: the cosine stretched from 0.6..1 to 0..1**, because the verifier's scores were "
        "not at hand; it separates worse, so the error budgets have to be wide."
        if held.scale == COSINE
        else "Scores: the verifier's probability that both questions have the same answer."
    )
    bars = "; ".join(
        f"delta {delta:g}: {bar.threshold} ({bar.origin}, {bar.errors} wrong of {bar.labels})"
        for delta, bar in (
            (policy.delta, state.normal),
            (policy.delta_overload, state.overload),
        )
    )
    return (
        f"{scale} The smallest error budget that the {len(held.calibration)} calibration pairs "
        "can prove, of 3, 5, 10, 15 and 20 %, and three times that under overload, 30 % at most: "
        f"{bars}. "
        f"Asked: the {len(held.test)} test pairs, which share no question with them, "
        f"{held.test.same.mean():.1%} of them the same."
    )


def _columns() -> str:
    settings = AdaptationSettings()
    return (
        f"**Overloaded** is when the pressure was {OVERLOADED:g} or more in the run without "
        f"adaptation (time to the first token at {_halfway(settings):.2f} times its baseline, or "
        "the share of failed calls as far between its knees); the same requests are then looked at "
        "in all runs. **Taken off**: of what the upstream was sent without adaptation, what it was "
        "not sent with it, refused calls included. Wrong: of served hits, and of all arrivals. "
        "Means over seeds with the 95 % interval of the mean (Student). `capacity told`: the "
        "number of slots is configured, so that calls in flight count too. Only streams tell the "
        "time to their first token; `no streams` is without any, where only refused calls would "
        "show if no capacity were told. The baseline follows "
        f"lasting congestion (time constant {LoadSettings().baseline_tau_s:g} s), so pressure "
        "fades in an overload that lasts; see `overloaded` at the highest load."
    )


def _halfway(settings: AdaptationSettings) -> float:
    """Return the queueing at which the smoothstep is a half."""
    return (settings.queueing.begin + settings.queueing.full) / 2


_SHARES = (
    ("taken off", "taken"),
    ("while overloaded", "taken_overloaded"),
    ("served", "served"),
    ("wrong of served", "wrong"),
    ("wrong of all", "wrong_arrivals"),
    ("past TTL, of all", "stale"),
    ("turned away", "turned_away"),
)
_HEAD = ("", *(name for name, _ in _SHARES), "p50 s", "p99 s")


def _by_load(load: float, ways: ByWay) -> Section:
    overloaded = next(iter(ways.values()))["overloaded"]
    about = f"{percent(overloaded)} of the arrivals came while the upstream was overloaded."
    rows = [_row(name, found) for name, found in ways.items()]
    bars = [_bar(f"{load:g}", ways[JUDGED]["taken_overloaded"])] if load > 1 else []
    return Section(f"Offered load {load:g}", about, _HEAD, rows, bars)


def _by_near(done: Done) -> Section:
    about = (
        f"Offered load {done.near_at_load:g}, `{JUDGED}`, {done.seeds[1]} seeds. What adaptation "
        "can take off grows with the share of requests that have a near stored question at all."
    )
    rows = [_row(f"near: {near:.0%}", ways[JUDGED]) for near, ways in done.by_near.items()]
    # The mix is assumed, so the bar is shown for others too.
    bars = [
        _bar(f"{done.near_at_load:g}, {near:.0%} near", ways[JUDGED]["taken_overloaded"])
        for near, ways in done.by_near.items()
    ]
    return Section("Other mixes", about, _HEAD, rows, bars)


def _row(name: str, found: Mapping[str, Between]) -> Sequence[str]:
    shares = [percent(found[field]) for _, field in _SHARES]
    return [name, *shares, seconds(found["p50_s"]), seconds(found["p99_s"])]


def _bar(load: str, taken: Between) -> Bar:
    """Return the bar: the interval's lower end has to reach the lower end of what is projected."""
    low = taken.mean - taken.reach
    return Bar(
        f"taken off while overloaded, offered load {load} (paper: 9-17 %, projected)",
        f">= {_LEAST_TAKEN:.0%}",
        percent(taken),
        low >= _LEAST_TAKEN,
    )


def percent(share: Between) -> str:
    """Return a share with the reach of its interval, in percentage points."""
    if math.isnan(share.mean):
        return "none"
    return f"{share.mean:.1%} ± {share.reach * 100:.1f}"


def seconds(value: Between) -> str:
    """Return seconds with the reach of their interval."""
    return f"{value.mean:.1f} ± {value.reach:.1f}"
