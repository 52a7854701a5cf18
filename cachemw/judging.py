"""The composition root's other half: what knows of categories, and what is learnt about them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random, SystemRandom
from secrets import token_bytes, token_hex

from cachemw_policies.labels import Label, Source

from cachemw.accounting.ledger import Accounts
from cachemw.aftermath import Learning
from cachemw.ask import Ask
from cachemw.categories.board import Categories
from cachemw.categories.source import PolicySource, load_policy
from cachemw.categories.views import shown
from cachemw.config import Config, api_key
from cachemw.errors import ConfigError
from cachemw.evidence.book import LabelBook
from cachemw.flight import FlightReader
from cachemw.learner import Learner
from cachemw.levels import LoadLevels
from cachemw.load import UpstreamLoad
from cachemw.metrics import Metrics
from cachemw.settings import (
    accounting_settings,
    adaptation_settings,
    board_settings,
    capacities,
    check_settings,
)
from cachemw.shadow.budget import CheckBudget
from cachemw.shadow.checks import Circumstances, MissChecks, ShadowChecks
from cachemw.shadow.compare import Comparer
from cachemw.shadow.judge import Judge, JudgeSettings
from cachemw.shadow.runner import CheckRunner, Sinks
from cachemw.stores.base import Document, DocumentStore
from cachemw.upstreams.router import Router


@dataclass(frozen=True, slots=True)
class Board:
    """What is in force for each category, and what each request is judged by."""

    categories: Categories
    accounts: Accounts
    levels: LoadLevels


@dataclass(frozen=True, slots=True)
class Learnt:
    """What learns, and what has to be waited for at the end."""

    book: LabelBook
    learner: Learner
    aftermath: Learning
    runners: tuple[CheckRunner, ...]

    async def drain(self, seconds: float) -> None:
        """Wait for checks under way."""
        for runner in self.runners:
            await runner.drain(seconds)


def board(config: Config, load: UpstreamLoad, metrics: Metrics) -> Board:
    """Read the policies and make what goes by them. Raises ConfigError."""
    policies = load_policy(config.categories.file)
    accounts = Accounts(accounting_settings(config), time.time, _rng())
    categories = Categories(policies, board_settings(config), accounts, partial(shown, metrics))
    levels = LoadLevels(load, adaptation_settings(config), capacities(config), time.perf_counter)
    return Board(categories, accounts, levels)


def learnt(
    config: Config,
    env: Mapping[str, str],
    known: Board,
    store: DocumentStore,
    router: Router,
    metrics: Metrics,
    begin: Callable[[Ask], FlightReader],
    on_wrong: Callable[[Document], Awaitable[None]],
) -> Learnt:
    """Make what labels hits and candidates. Raises ConfigError for a judge that nobody serves."""
    categories = known.categories
    book = LabelBook(
        store.evidence(),
        metrics.dependency("evidence"),
        categories.learn,
        on_anew=categories.anew,
        on_dropped=lambda kind: metrics.labels_dropped.labels(kind).inc(),
        unique=lambda: token_bytes(16),
    )
    shadow = config.shadow
    comparer = Comparer(judge=_judge(config, router))
    sinks = Sinks(
        partial(_judged, book, metrics),
        partial(_counted, metrics),
        lambda category, told: categories.checked(category, told=told),
    )

    def runner(source: Source, per_minute: float) -> CheckRunner:
        budget = CheckBudget(shadow.in_flight, per_minute, time.monotonic)
        state = metrics.dependency(f"{source.value} checks")
        return CheckRunner(source, comparer, budget, sinks, state, time.time)

    shadows = runner(Source.SHADOW, shadow.per_minute)
    misses = runner(Source.MISS, 60 * shadow.misses_per_second)
    own = {
        upstream.name
        for upstream in config.upstreams
        # A model of our own costs its clients nothing.
        if upstream.local is not None or api_key(upstream, env) is not None
    }
    around = Circumstances(
        rate=categories.shadow_rate, load=lambda ask: ask.load, own_key=own.__contains__
    )
    checks = ShadowChecks(check_settings(config), shadows, begin, around, on_wrong, _rng())
    aftermath = Learning(
        categories,
        known.accounts,
        book,
        checks,
        MissChecks(misses, on_wrong, judge=shadow.judge_misses),
        time.time,
    )
    file = config.categories.file
    source = None if file is None else PolicySource(file, categories.policies)
    learner = Learner(categories, book, source, metrics)
    return Learnt(book, learner, aftermath, (shadows, misses))


def _judge(config: Config, router: Router) -> Judge | None:
    model = config.shadow.judge_model
    if model is None:
        return None
    try:
        route = router.route(model)
    except Exception as error:
        raise ConfigError(f"shadow.judge_model: no upstream serves '{model}'.") from error
    return Judge(JudgeSettings(), route, lambda: token_hex(16))


def _judged(book: LabelBook, metrics: Metrics, label: Label) -> None:
    verdict = "right" if label.right else "wrong"
    metrics.labels.labels(label.source.value, verdict).inc()
    book.judge(label)


def _counted(metrics: Metrics, source: Source, outcome: str) -> None:
    metrics.checks.labels(source.value, outcome).inc()


def _rng() -> Random:
    return Random(SystemRandom().random())
