"""The command line."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from cachemw import __version__
from cachemw.cli import EXIT_CONFIG, main
from cachemw.config import load_config

GOOD = "upstreams: [{name: x, base_url: 'http://127.0.0.1:9/v1', api_key: sk-secret}]\n"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


def test_check_config_says_that_a_file_can_be_used(
    good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check-config", str(good)]) == 0
    assert "ok, 1 upstream(s)" in capsys.readouterr().out


def test_check_config_shows_what_is_in_force_and_no_secret(
    good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check-config", "--json", str(good)]) == 0
    out = capsys.readouterr().out
    assert json.loads(out)["upstreams"][0]["api_key"] == "(set)"
    assert "sk-secret" not in out


def test_check_config_names_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(GOOD + "semantic: {min_similarty: 0.9}\n")
    assert main(["check-config", str(path)]) == EXIT_CONFIG
    said = capsys.readouterr().err
    assert "semantic.min_similarty" in said
    assert "did you mean 'min_similarity'?" in said


@pytest.mark.parametrize("arguments", [[], ["serv"], ["serve", "--port", "99999"]])
def test_wrong_use_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: cachemw" in capsys.readouterr().err


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "cachemw serve --config" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"cachemw {__version__}\n"


def test_check_config_shows_no_hash_of_a_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keys.yaml"
    digest = "ab" * 32
    path.write_text(
        GOOD + f"identity: {{keys: [{{name: a, sha256: {digest}, tenant: t}}]}}\n"
        f"admin: {{token_sha256: {digest}}}\n"
    )
    assert main(["check-config", "--json", str(path)]) == 0
    out = capsys.readouterr().out
    assert digest not in out
    assert json.loads(out)["identity"]["keys"][0]["tenant"] == "t"


def test_a_new_key_and_its_hash(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-key", "--name", "alice", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)

    assert made["name"] == "alice"
    assert made["key"].startswith("sk-cachemw-")
    assert made["sha256"] == hashlib.sha256(made["key"].encode()).hexdigest()


def test_a_new_key_can_be_pasted_into_the_configuration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["new-key", "--name", 'alice: "x"']) == 0
    said = capsys.readouterr().out
    key = said.split()[1]

    pasted = yaml.safe_load(said[said.index("identity:") :])

    [entry] = load_config(pasted, env={}).identity.keys
    assert entry.sha256 == hashlib.sha256(key.encode()).hexdigest()
    assert (entry.name, entry.tenant) == ('alice: "x"', 'alice: "x"')
