from __future__ import annotations

from contextlib import nullcontext

import pytest

from loadtests.http.servers import Server
from loadtests.http.shots import Incorrect
from loadtests.http.wrk import Load
from loadtests.peers.effort import CONNECTIONS, JUDGED
from loadtests.peers.rates import exact_bars
from loadtests.peers.runs import Run, Runs
from loadtests.peers.subjects import Field, Subject, Variant

SERVER = Server(1, 1, 0.0)
BARE = Subject("bare ASGI, 1 worker", SERVER, layers=True)
LITELLM = Subject("LiteLLM, 1 worker, memory", SERVER, slow=True)
MEMORY, DISK = Variant("SQLite"), Variant("SQLite", memory=False)
CACHEMW = {variant: Subject(variant.name, SERVER, layers=True) for variant in (MEMORY, DISK)}


def _field() -> Field:
    return Field(None, {1: BARE}, CACHEMW, {}, {"memory": LITELLM})  # type: ignore[arg-type]


def _runs(rates: dict[Subject, list[float]]) -> Runs:
    runs = Runs()
    for subject, made in rates.items():
        for number in CONNECTIONS:
            for rate in made:
                runs.add(subject, number, Run(Load(300, rate, 1.0, 2.0), 12.0, 0.0))
    return runs


def test_bars_are_medians_of_the_rounds_ratios() -> None:
    rates = {BARE: [100.0, 200.0, 100.0], CACHEMW[MEMORY]: [70.0, 100.0, 61.0]}
    rates |= {LITELLM: [1.0, 1.0, 0.5], CACHEMW[DISK]: [1.0] * 3}
    bars = exact_bars(_runs(rates), _field())
    assert [(bar.what, bar.measured, bar.met) for bar in bars] == [
        (f"exact hit, cachemw, 1 worker, SQLite / bare, {JUDGED} connections", "0.61", True),
        (
            f"exact hit, cachemw, 1 worker, SQLite / {LITELLM.name}, {JUDGED} connections",
            "100.00",
            True,
        ),
    ]


def test_a_row_has_the_medians() -> None:
    runs = _runs({BARE: [10.0, 30.0, 20.0]})
    assert runs.row(BARE, 8) == ("8, bare ASGI, 1 worker", "20", "1.00", "2.00", "12")
    assert runs.calls(BARE, 8) == 0


def test_only_those_who_name_layers_are_asked_for_them() -> None:
    assert BARE.layer("exact") == "exact"
    assert LITELLM.layer("exact") is None


@pytest.mark.parametrize(
    ("made", "requests", "calls", "right"),
    [(0, 10, 0, True), (1, 10, 0, False), (10, 10, 1, True), (12, 10, 1, True), (9, 10, 1, False)],
)
def test_hits_ask_nothing_and_misses_all(
    made: int, requests: int, calls: int, right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Field, "upstream_calls", lambda _self: 100 + made)
    with nullcontext() if right else pytest.raises(Incorrect, match=f"{made} upstream calls"):
        _field().require_calls(LITELLM, 100, requests, calls)
