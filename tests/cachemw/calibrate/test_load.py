from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cachemw.calibrate import load
from cachemw.calibrate.load import load_decider, objects
from cachemw.cli import main
from cachemw.config import load_config
from cachemw.embed.settings import EmbedderSettings
from cachemw.errors import ConfigError
from tests.cachemw.calibrate.conftest import AngleEmbedder, LastWordVerifier

# The same intent in other words, and questions that are alike with another answer.
SAME = (
    ("How do I boil an egg?", "How do you boil an egg?"),
    ("What is the capital of France?", "What's the capital of France?"),
    ("How can I learn Python quickly?", "What is the quickest way to learn Python?"),
    ("How do I lose weight fast?", "How can I lose weight quickly?"),
    ("How can I improve my English?", "How do I improve my English?"),
    ("Why is the sky blue?", "Why does the sky look blue?"),
)
OTHER = (
    ("What is the capital of France?", "What is the capital of Peru?"),
    ("Convert 5 miles to km.", "Convert 7 miles to km."),
    ("How do I turn on dark mode?", "How do I turn off dark mode?"),
    ("How do I learn Python quickly?", "How do I catch a python?"),
    ("How can I improve my English?", "How can I improve my handwriting?"),
    ("Why is the sky blue?", "Why is the sky red at sunset?"),
)


def test_the_guards_are_those_of_the_service() -> None:
    question = "How do I convert 5 km to miles?"
    assert objects(question, question) is None
    assert objects(question, "How do I convert 7 km to miles?") is not None


def test_a_model_that_is_not_there() -> None:
    config = load_config({"embedder": {"model": "/no/such/model"}}, env={})
    with pytest.raises(ConfigError):
        load_decider(config)


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch) -> AngleEmbedder:
    made = AngleEmbedder()

    def loaded(settings: EmbedderSettings, models: Path) -> AngleEmbedder:
        return made

    monkeypatch.setattr(load, "load_embedder", loaded)
    return made


def _config(**semantic: Any) -> Any:
    return load_config({"semantic": semantic}, env={})


def test_the_cosine_in_place_of_a_verifier(embedder: AngleEmbedder) -> None:
    decider = load_decider(_config(verifier="none", min_similarity=0.8))
    assert (decider.verifier, decider.floor) == (None, 0.8)
    assert decider.scale == f"cosine {embedder.fingerprint}"


@pytest.mark.parametrize(("name", "french"), [("shipped", False), ("/some/model", True)])
def test_the_shipped_verifier_alone_is_asked_in_english_alone(
    name: str, french: bool, embedder: AngleEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def loaded(settings: Any, models: Path, fingerprint: str) -> LastWordVerifier:
        asked.append(f"{settings.model} {fingerprint}")
        return LastWordVerifier()

    monkeypatch.setattr(load, "load_verifier", loaded)
    decider = load_decider(_config(verifier=name))
    assert asked == [f"{name} {embedder.fingerprint}"]
    assert decider.reads("Comment est-ce que je change mon mot de passe ?") is french
    assert decider.reads("How do I change my password?")
    assert decider.scale == LastWordVerifier.fingerprint


def test_a_verifier_that_is_not_there_leaves_no_embedder_open(embedder: AngleEmbedder) -> None:
    with pytest.raises(ConfigError, match=r"semantic\.verifier"):
        load_decider(_config(verifier="/no/such/verifier"))
    assert embedder.closed


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory, embedder_cache: Path) -> Path:
    path = tmp_path_factory.mktemp("calibrate") / "cachemw.yaml"
    path.write_text(f"cache_dir: {embedder_cache}\n")
    return path


def test_with_the_shipped_models(
    config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From pairs to a threshold and labels, as an operator runs it."""
    pairs, labels = tmp_path / "pairs.jsonl", tmp_path / "labels.jsonl"
    rows = [(*pair, 1) for pair in SAME] + [(*pair, 0) for pair in OTHER]
    pairs.write_text("".join(json.dumps({"a": a, "b": b, "same": s}) + "\n" for a, b, s in rows))
    command = ["calibrate", str(pairs), "--json", "--config", str(config_file)]
    assert main([*command, "--labels", str(labels)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["floor"] == 0.65
    assert found["never_served"]["objected"]["numbers"] == 1
    # What nobody could mistake is told apart: half of the duplicates and nothing else.
    assert found["full_decision"]["1%"]["duplicates_served"] >= 0.5
    written = [json.loads(line) for line in labels.read_text().splitlines()]
    refused = found["never_served"]
    assert len(written) == len(rows) - refused["below_floor"] - sum(refused["objected"].values())
    assert {one["scale"] for one in written} == {found["scale"]}
    assert not found["scale"].startswith("cosine")
