from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cachemw.calibrate.command import EXIT_INPUT, EXIT_INTERRUPTED, calibrate, run_calibrate
from cachemw.calibrate.judge import Decider
from cachemw.cli import main
from cachemw.config import Config
from tests.cachemw.calibrate.conftest import AngleEmbedder, LastWordVerifier

LINES = (
    '{"a": "a 0", "b": "b 10 0.9", "same": 1}\n'
    '{"a": "a 0", "b": "not 10 0.8", "same": 0}\n'
    '{"a": "a 0", "b": "c 12 0.4", "same": 0}\n'
)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    path.write_text(LINES)
    return path


def _arguments(pairs: Path, **given: Any) -> argparse.Namespace:
    plain = {"json": False, "labels": None, "category": "default", "limit": None, "config": None}
    return argparse.Namespace(pairs=pairs, **(plain | given))


def test_for_programs(
    pairs: Path, decider: Decider, capsys: pytest.CaptureFixture[str], verifier: LastWordVerifier
) -> None:
    assert run_calibrate(_arguments(pairs, json=True), lambda _: decider) == 0
    written = capsys.readouterr()
    document = json.loads(written.out)
    assert document["pairs"] == 3
    assert document["full_decision"]["1%"]["duplicates_served"] == 1.0
    assert document["plain_cosine"]["1%"]["threshold"] is None  # 10 degrees twice, one is wrong
    assert written.err == ""  # no bar where nobody watches
    assert verifier.closed


def test_for_people(pairs: Path, decider: Decider, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_calibrate(_arguments(pairs, limit=2), lambda _: decider) == 0
    assert "2 pairs, 1 of them duplicates (50.0%)" in capsys.readouterr().out


def test_whoever_watches_sees_how_far_it_is(
    pairs: Path, decider: Decider, capsys: pytest.CaptureFixture[str]
) -> None:
    watched = io.StringIO()
    terminal = Console(file=watched, force_terminal=True, width=100)
    calibrate(_arguments(pairs, json=True), lambda _: decider, terminal)
    assert "embedding" in watched.getvalue()
    assert "4/4" in watched.getvalue()
    assert "verifying" in watched.getvalue()
    json.loads(capsys.readouterr().out)


def test_labels(
    pairs: Path, tmp_path: Path, decider: Decider, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "labels.jsonl"
    wanted = _arguments(pairs, labels=out, category="code", json=True)
    assert run_calibrate(wanted, lambda _: decider) == 0
    written = map(json.loads, out.read_text().splitlines())
    first, second = sorted(written, key=lambda line: -float(line["score"]))
    assert (first["category"], first["scale"], first["right"]) == ("code", "last-word", True)
    assert second["score"] == pytest.approx(0.4)
    assert "2 labels written" in capsys.readouterr().err


def test_bad_input_ends_before_a_model_is_loaded(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(_: Config) -> Decider:
        raise AssertionError

    nowhere = _arguments(pairs, labels=tmp_path / "none" / "labels")
    assert run_calibrate(nowhere, never) == EXIT_INPUT
    assert "--labels" in capsys.readouterr().err
    assert run_calibrate(_arguments(pairs, config=tmp_path / "none.yaml"), never) == EXIT_INPUT
    pairs.write_text(LINES + "{}\n")
    assert run_calibrate(_arguments(pairs), never) == EXIT_INPUT
    assert "line 4, field 'same': is missing" in capsys.readouterr().err


def test_interrupted(pairs: Path, decider: Decider, capsys: pytest.CaptureFixture[str]) -> None:
    class Interrupted(AngleEmbedder):
        def embed(self, texts: Any) -> Any:
            raise KeyboardInterrupt

    embedder = Interrupted()
    broken = Decider(embedder, decider.objection, None, 0.6)
    assert run_calibrate(_arguments(pairs), lambda _: broken) == EXIT_INTERRUPTED
    assert "interrupted" in capsys.readouterr().err
    assert embedder.closed


def test_with_the_real_models(
    tmp_path: Path,
    embedder_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """End to end, as a person runs it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(embedder_cache.parent))
    pairs = tmp_path / "pairs.jsonl"
    rows = [
        {"a": "How do I bake bread?", "b": "How can I bake bread at home?", "same": True},
        {"a": "What is the capital of Peru?", "b": "What's the capital of Peru?", "same": 1},
        {"a": "How do I bake bread?", "b": "Why is the sea salty?", "same": 0},
    ]
    pairs.write_text("\n".join(map(json.dumps, rows)))
    assert main(["calibrate", str(pairs), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["pairs"], document["duplicates"]) == (3, 2)
    assert document["never_served"]["below_floor"] == 1
    assert document["plain_cosine"]["1%"]["duplicates_served"] == 1.0
