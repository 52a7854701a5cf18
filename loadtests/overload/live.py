"""The arrivals against the real service: `python -m loadtests.overload live`."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
from cachemw_policies.adaptation import AdaptationSettings
from cachemw_policies.category import CategoryPolicy
from cachemw_policies.decision import CategoryState

from cachemw.config import default_cache_dir
from cachemw.config_sections import SemanticConfig
from cachemw.embed.load import load_embedder
from cachemw.embed.settings import EmbedderSettings
from cachemw.verify.load import load_verifier
from cachemw.verify.settings import VerifierSettings
from loadtests.overload.live_figures import LiveFigures, live_figures, simulated
from loadtests.overload.live_plan import (
    Material,
    Plan,
    faster,
    labels,
    planned,
    seen_by_service,
)
from loadtests.overload.live_run import Run, Stock, run, template
from loadtests.overload.live_tables import OFF, ON, AtLoad, report
from loadtests.overload.parts import write_live
from loadtests.overload.proof import proven
from loadtests.overload.replay import Cache, replay
from loadtests.overload.scores import KEPT, VERIFIER, held_out
from loadtests.overload.traffic import Mix, read_trace, trace_file
from loadtests.overload.upstream import Capacity
from loadtests.questions import Vectors, embedded, pairs_file, read_pairs
from loadtests.verifier.cosines import cosines
from loadtests.verifier.split import parts

REPORT = Path(__file__).parents[1] / "reports" / "overload.md"
LOADS = (1.0, 1.3)
TIMES = 3.0
"""How much faster than the simulation's the upstream answers: about 21 requests a second then."""
_DEFAULT_MINUTES, _DEFAULT_TURNS = 1.25, 2


@dataclass(frozen=True, slots=True)
class Measured:
    """What the runs have in common."""

    material: Material
    stock: Stock
    warm_up: Sequence[str]
    min_similarity: float


def main(arguments: Sequence[str]) -> int:
    """Measure, print the part of the report and write it."""
    options = _options(arguments)
    for path in (pairs_file(), trace_file()):
        if not path.exists():
            print(f"{path} is not there; CACHEMW_SHARED_DATA names its folder.", file=sys.stderr)
            return 1
    with tempfile.TemporaryDirectory(prefix="cachemw-overload-") as scratch:
        (Path(scratch) / "template").mkdir()
        measured = asyncio.run(_prepared(Path(scratch), options.cache_dir, options.seed))
        done = [_at(load, measured, Path(scratch), options) for load in options.loads]
    command = f"{options.date}. Command: `python -m loadtests.overload live{_given(options)}`."
    text = report(done, measured.stock.policy, TIMES, command)
    print(text)
    write_live(options.out, text)
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtests.overload live", description=__doc__)
    parser.add_argument("--minutes", type=float, default=_DEFAULT_MINUTES, help="of each run")
    parser.add_argument("--turns", type=int, default=_DEFAULT_TURNS, help="runs of each setting")
    parser.add_argument("--loads", type=float, nargs="+", default=list(LOADS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=REPORT, help="the report's file")
    parser.add_argument("--cache-dir", type=Path, default=default_cache_dir(os.environ))
    parser.add_argument("--date", default=date.today().isoformat())  # noqa: DTZ011 - a label
    return parser.parse_args(arguments)


def _given(options: argparse.Namespace) -> str:
    given = ""
    for name, default in (("minutes", _DEFAULT_MINUTES), ("turns", _DEFAULT_TURNS), ("seed", 0)):
        if getattr(options, name) != default:
            given += f" --{name} {getattr(options, name):g}"
    loads = " ".join(f"{load:g}" for load in options.loads)
    return given + ("" if tuple(options.loads) == LOADS else f" --loads {loads}")


async def _prepared(scratch: Path, models: Path, seed: int) -> Measured:
    """Read what there is to ask, and learn where the service puts answers.

    Raises ValueError where the scores at hand are not those of the verifier that will serve.
    """
    pairs, floor = read_pairs(pairs_file()), SemanticConfig().min_similarity
    held = held_out(pairs, models)
    train = parts(pairs).train
    material = Material(pairs, held.calibration, held.test, cosines().astype(np.float64), train)
    open_ones = seen_by_service(material, held.calibration, floor)
    policy, _ = proven(replace(held, calibration=open_ones))
    found = await template(scratch / "template", models, policy)
    scale = _scale(models, found.embedded.fingerprint)
    if held.scale != VERIFIER or scale != _fingerprint():
        raise ValueError("the verifier's scores are of another verifier: make them anew")
    known = labels(material, floor, scale, time.time(), seed)
    warm_up = [pairs[position].a for position in train[:64]]
    return Measured(material, Stock(found, policy, known, models), warm_up, floor)


def _scale(models: Path, embedder: str) -> str:
    verifier = load_verifier(VerifierSettings(), models, embedder)
    if verifier is None:
        raise ValueError("there is no verifier")
    fingerprint = verifier.fingerprint
    verifier.close()
    return fingerprint


def _fingerprint() -> str:
    with np.load(KEPT / "verifier-scores.npz") as arrays:
        return str(arrays["fingerprint"])


def _at(load: float, measured: Measured, scratch: Path, options: argparse.Namespace) -> AtLoad:
    """Run both settings in turn at one load, and simulate the same."""
    capacity, trace = faster(Capacity(), TIMES), read_trace(trace_file())
    seconds = 60 * options.minutes
    plan = planned(trace, measured.material, capacity, load, seconds, Mix(), options.seed)
    vectors = _vectors(plan.stored, options.cache_dir)
    runs: dict[str, list[Run]] = {OFF: [], ON: []}
    for turn in range(options.turns):
        # Each setting goes first as often as the other, for what changes on the machine.
        for name in (OFF, ON) if turn % 2 == 0 else (ON, OFF):
            print(f"... load {load:g}, turn {turn + 1}, {name}", file=sys.stderr, flush=True)
            folder = scratch / f"{load:g}-{turn}-{name.split()[1]}"
            folder.mkdir()
            runs[name].append(
                asyncio.run(
                    run(folder, plan, vectors, measured.stock, measured.warm_up, adapts=name == ON)
                )
            )
            shutil.rmtree(folder)
    ttl = measured.stock.policy.ttl
    found = {
        name: [
            live_figures(plan, one.seen, without.seen, ttl)
            for one, without in zip(kind, runs[OFF], strict=True)
        ]
        for name, kind in runs.items()
    }
    return AtLoad(load, plan, runs, found, _simulated(plan, measured, runs[ON][0].state))


def _simulated(plan: Plan, measured: Measured, state: CategoryState) -> dict[str, LiveFigures]:
    """Simulate the plan by the service's thresholds: with all pairs, and with those it weighs."""
    told = replace(AdaptationSettings(), capacity=plan.capacity.slots)
    guarded = seen_by_service(measured.material, plan.asked, measured.min_similarity)
    found = {}
    for kind, asked in (("", plan.asked), (", guards, cosine", guarded)):
        policy: CategoryPolicy = measured.stock.policy
        off, on = (
            replay(plan.arrivals, asked, Cache(policy, state, adaptation), plan.capacity)
            for adaptation in (None, told)
        )
        found[f"simulation{kind}, {OFF}"] = simulated(off, off)
        found[f"simulation{kind}, {ON}"] = simulated(on, off)
    return found


def _vectors(texts: Sequence[str], models: Path) -> Vectors:
    print(f"... embedding {len(texts)} questions", file=sys.stderr, flush=True)
    embedder = load_embedder(EmbedderSettings(), models)
    try:
        return embedded(embedder, texts)
    finally:
        embedder.close()
