"""The sections of the report: the half-life, policies compared, a flood with and without quotas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from cachemw_policies.category import Quota
from cachemw_policies.eviction import HALF_LIFE

from loadtests.eviction.batched import BATCH
from loadtests.eviction.flood import FLOOD, QUIET, Mixed, Outcome, Shared, mixed, outcome
from loadtests.eviction.replay import POLICIES, Estimate, Score, ours, replayed
from loadtests.eviction.streams import Stream
from loadtests.report import Bar, Section

CAPACITIES = (0.01, 0.05, 0.2)
HALF_LIVES = (1.0, 2.0, 3.0, 5.0, 10.0)
#: Of the quiet stream's distinct items, how much fits; of that, what is guaranteed to it.
_FLOODED = 0.05
_GUARANTEE = 0.6
_KEPT = 0.1
_REFERENCE = "clairvoyant, savings"
_MUST_NOT_LOSE_TO = ("LRU", "LFU")


def tuned(streams: Mapping[str, Stream]) -> Section:
    """Choose the half-life of the least regret: what it loses at most to the best one of a place.

    Only those that save no less than LRU and LFU anywhere are chosen from.
    """
    places = [(name, share) for name in streams for share in CAPACITIES]
    half_lives = {f"half-life {h:g}": ours(h) for h in HALF_LIVES}
    others = {name: POLICIES[name] for name in (*_MUST_NOT_LOSE_TO, "GDSF", _REFERENCE)}
    saved = {
        policy: [replayed(streams[name], make, share).saved for name, share in places]
        for policy, make in (half_lives | others).items()
    }
    regrets = _regrets({policy: saved[policy] for policy in half_lives})
    allowed = [policy for policy in half_lives if _never_loses(policy, saved)]
    best = min(allowed, key=lambda policy: regrets[policy], default="none")
    rows = [
        (
            policy,
            *(f"{value:.1%}" for value in row),
            f"{100 * regrets[policy]:.1f}" if policy in regrets else "",
        )
        for policy, row in saved.items()
    ]
    about = (
        "Share of all seconds that hits could save, on streams that are reported nowhere below, "
        f"one seed: {', '.join(streams)}. Regret: the most points by which it falls behind the "
        "best half-life of a column. Chosen: the least regret of those that lose to neither LRU "
        "nor LFU, as one default has to serve traffic that is not known. The half-life is counted "
        "in turnovers of the cache."
    )
    head = ("policy", *(f"{_short(name)} {share:.0%}" for name, share in places), "regret")
    in_code = f"half-life {HALF_LIFE:g}"
    bar = Bar("the half-life in the code is the one chosen", best, in_code, best == in_code)
    return Section("The half-life", about, head, rows, (bar,))


def _regrets(saved: Mapping[str, Sequence[float]]) -> dict[str, float]:
    best = np.max(list(saved.values()), axis=0)
    return {policy: float(np.max(best - row)) for policy, row in saved.items()}


def compared(name: str, runs: Sequence[Stream]) -> Section:
    """Compare all policies on a stream, one of each seed."""
    rows, bars = [], []
    for share in CAPACITIES:
        scores = {n: [replayed(s, make, share) for s in runs] for n, make in POLICIES.items()}
        rows += [(f"{share:.0%}", policy, *_estimates(found)) for policy, found in scores.items()]
        bars.append(_bar(name, share, scores))
    about = (
        f"{len(runs[0].items)} requests for {len(runs[0].sizes)} distinct items. Of all requests, "
        "of the bytes asked for, and of the seconds that hits could save."
    )
    head = ("capacity", "policy", "hits", "bytes hit", "saved")
    return Section(name.capitalize(), about, head, rows, bars)


def floods(pairs: Sequence[tuple[Stream, Stream]]) -> Section:
    """Compare what becomes of a quiet category while another floods the cache."""
    runs = []
    for seed, (quiet, flood) in enumerate(pairs):
        runs.append((mixed(quiet, flood, _KEPT, np.random.default_rng(seed)), quiet))
    results = {
        "LRU": [_alone(both, quiet, "LRU") for both, quiet in runs],
        "value alone": [_alone(both, quiet, "ours") for both, quiet in runs],
        "equal shares, no guarantee": [_shared(both, quiet, 0.0) for both, quiet in runs],
        f"{_GUARANTEE:.0%} guaranteed": [_shared(both, quiet, _GUARANTEE) for both, quiet in runs],
    }
    rows = [(name, *_of_flood(found)) for name, found in results.items()]
    guaranteed = [o.least or 0.0 for o in results[f"{_GUARANTEE:.0%} guaranteed"]]
    limit = _GUARANTEE * (1 - BATCH)
    bar = Bar(
        "least share of the flooded category, once it filled its guarantee",
        f">= {limit:.3f}",
        f"{min(guaranteed):.3f}",
        min(guaranteed) >= limit - 1e-9,
    )
    both = runs[0][0]
    about = (
        f"A tenth of the searches by state ({int(both.quiet.sum())} requests); in the middle third "
        f"of their month a part of the conversations ({int((~both.quiet).sum())} requests, mostly "
        "for what is never asked for again, three times as dear) goes through the cache. It holds "
        f"{_FLOODED:.0%} of the bytes of all searches. Least share: what the quiet category held "
        "after any eviction during the flood, from when it first held its guarantee; half of the "
        "cache where none is given."
    )
    head = ("cache", "quiet hits", "during the flood", "flood hits", "saved", "least share")
    return Section("A flood", about, head, rows, (bar,))


def _never_loses(policy: str, saved: Mapping[str, Sequence[float]]) -> bool:
    return all(
        ours >= theirs
        for other in _MUST_NOT_LOSE_TO
        for ours, theirs in zip(saved[policy], saved[other], strict=True)
    )


def _short(name: str) -> str:
    return name.partition(",")[0].rpartition(" ")[2]


def _estimates(scores: Sequence[Score]) -> tuple[str, str, str]:
    return (
        str(Estimate.of([s.hits for s in scores])),
        str(Estimate.of([s.bytes for s in scores])),
        str(Estimate.of([s.saved for s in scores])),
    )


def _bar(name: str, share: float, scores: Mapping[str, Sequence[Score]]) -> Bar:
    saved = {policy: float(np.mean([s.saved for s in runs])) for policy, runs in scores.items()}
    limit = max(saved[other] for other in _MUST_NOT_LOSE_TO)
    what = f"saved by ours, {name} at {share:.0%}: no less than by LRU and LFU"
    return Bar(what, f">= {limit:.1%}", f"{saved['ours']:.1%}", saved["ours"] >= limit)


def _alone(both: Mixed, quiet: Stream, policy: str) -> Outcome:
    return outcome(both, POLICIES[policy](both.stream, _FLOODED * quiet.bytes))


def _shared(both: Mixed, quiet: Stream, guarantee: float) -> Outcome:
    quotas = {QUIET: Quota(guaranteed=guarantee), FLOOD: Quota()}
    policy = Shared(both.stream, both.first_flood, _FLOODED * quiet.bytes, quotas)
    return outcome(both, policy, guarantee or 0.5)


def _of_flood(found: Sequence[Outcome]) -> tuple[str, ...]:
    least = [o.least for o in found if o.least is not None]
    return (
        str(Estimate.of([o.quiet for o in found])),
        str(Estimate.of([o.quiet_during for o in found])),
        str(Estimate.of([o.flood for o in found])),
        str(Estimate.of([o.saved for o in found])),
        f"{min(least):.1%}" if least else "",
    )
