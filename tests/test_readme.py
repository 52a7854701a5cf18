"""Every command of the README is run, here or by CI."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from cachemw.app import build
from cachemw.config import load_file
from tests.support.servers import ServerProcess, start_process, wait_until

ROOT = Path(__file__).resolve().parents[1]
LAB_MODEL = ROOT / "cachemw" / "assets" / "lab_model"
README = (ROOT / "README.md").read_text(encoding="utf-8")
# `make test` is what CI runs; tests/cachemw/demo/test_run.py runs what `make demo` does.
RUN_ELSEWHERE = {"make demo", "make test"}
DEFAULT_URL = "http://127.0.0.1:8080"
TOKEN = "export CACHEMW_ADMIN_TOKEN=..."
ADMIN = {
    "CACHEMW_ADMIN__TOKEN_ENV": "CACHEMW_ADMIN_TOKEN",
    "CACHEMW_ADMIN_TOKEN": "a token of the administrator's",
}
KINDS = (
    "cachemw serve",
    "check-config",
    "curl",
    "new-key",
    "cachemw entries",
    "cachemw categories",
    "cachemw calibrate",
    "cachemw_codecs",
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    joined = "\n".join(blocks("sh")).replace("\\\n", " ")
    lines = (re.sub(r"\s+# .*$", "", line).strip() for line in joined.splitlines())
    return [" ".join(line.split()) for line in lines if line]


def starting_with(text: str) -> list[str]:
    return [command for command in commands() if text in command]


def parts(command: str) -> tuple[dict[str, str], list[str]]:
    """Split `NAME=value program args` into the environment and the arguments of cachemw."""
    words = shlex.split(command)
    environment = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
    rest = [word for word in words if not re.match(r"[A-Z_]+=", word)]
    return environment, rest[1:]


@pytest.fixture(autouse=True)
def no_key_of_the_developers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def serve(
    command: str,
    cache: Path,
    folder: Path,
    ready: str = "/healthz",
    more: Mapping[str, str] = MappingProxyType({}),
) -> ServerProcess:
    """Run a documented command on a free port, with a store and a policy file of its own.

    The cache directory stays between runs, and what an earlier one stored would answer this one.
    """
    environment, arguments = parts(command)
    policy = folder / "policy.yaml"
    policy.write_text(policies())
    environment = {k: v.replace("policy.yaml", str(policy)) for k, v in environment.items()}
    if "--port" in arguments:
        arguments[arguments.index("--port") + 1] = "{port}"
    own = {
        "CACHEMW_SERVER__PORT": "{port}",
        "CACHEMW_STORE__PATH": str(folder / "store"),
        "XDG_CACHE_HOME": str(cache.parent),
    }
    return start_process(["-m", "cachemw", *arguments], environment | own | {**more}, ready=ready)


def policies() -> str:
    return next(block for block in blocks("yaml") if block.startswith("# policy.yaml"))


def test_nothing_in_it_goes_unrun() -> None:
    run_here = {command for kind in KINDS for command in starting_with(kind)}
    assert run_here | RUN_ELSEWHERE | {TOKEN} == set(commands())
    assert (len(blocks("python")), len(blocks("yaml"))) == (2, 2)


@pytest.mark.parametrize("command", sorted(RUN_ELSEWHERE))
def test_make_knows_its_targets(command: str) -> None:
    dry = subprocess.run(
        ["make", "-n", *command.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "deploy/bootstrap.py" in dry.stdout


@pytest.mark.parametrize("command", starting_with("cachemw serve"))
def test_it_serves(command: str, embedder_cache: Path, tmp_path: Path) -> None:
    with serve(command, embedder_cache, tmp_path) as server:
        assert httpx.get(server.url + "/healthz").json() == {"status": "ok"}
        assert server.terminate() == 0, server.output()


@pytest.mark.parametrize("command", starting_with("check-config"))
def test_the_reference_is_a_configuration(command: str) -> None:
    _, arguments = parts(command)
    checked = subprocess.run(
        [sys.executable, "-m", "cachemw", *arguments], cwd=ROOT, capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_the_production_example_can_be_used(tmp_path: Path) -> None:
    (example,) = (block for block in blocks("yaml") if block != policies())
    (new_key,) = starting_with("new-key")
    made = json.loads(_run([sys.executable, "-m", "cachemw", *parts(new_key)[1], "--json"]))
    path = tmp_path / "cachemw.yaml"
    path.write_text(example.replace("<from cachemw new-key>", made["sha256"]))
    _run([sys.executable, "-m", "cachemw", "check-config", str(path)])
    secrets = {"REDIS_URL": "redis://h", "OPENAI_API_KEY": "k", "CACHEMW_ADMIN_TOKEN": "t" * 32}
    build(load_file(path, {"HOME": str(tmp_path)}), secrets)


def test_an_operator_sees_entries_and_categories(embedder_cache: Path, tmp_path: Path) -> None:
    (served,) = starting_with("policy.yaml")
    with serve(served, embedder_cache, tmp_path, "/readyz", ADMIN) as server:
        httpx.post(
            server.url + "/v1/chat/completions",
            json={"messages": [{"role": "user", "content": "What is a proxy?"}]},
            headers={"x-cachemw-tags": "prices"},
            timeout=60,
        ).raise_for_status()
        for command in starting_with("cachemw entries"):
            arguments = [*parts(command)[1], "--url", server.url]
            said = _run([sys.executable, "-m", "cachemw", *arguments], ADMIN, tmp_path)
            assert said, command
        for command in starting_with("cachemw categories"):
            arguments = [*parts(command)[1], "--url", server.url]
            said = _run([sys.executable, "-m", "cachemw", *arguments], ADMIN, tmp_path)
            # Those of the documented policy file.
            assert "opening_hours" in said
    assert "What is a proxy?" in (tmp_path / "answers.jsonl").read_text()


def test_pairs_are_calibrated(embedder_cache: Path, tmp_path: Path) -> None:
    pairs = [
        {"a": "How does photosynthesis work?", "b": "Explain photosynthesis", "same": 1},
        {"a": "What is 17 plus 25?", "b": "What is 17 plus 26?", "same": 0},
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    (command,) = starting_with("cachemw calibrate")
    cache = {"XDG_CACHE_HOME": str(embedder_cache.parent)}
    said = subprocess.run(
        [sys.executable, "-m", "cachemw", *parts(command)[1]],
        env=os.environ | cache,
        cwd=tmp_path,
        capture_output=True,
        timeout=100,
        check=True,
    )
    assert json.loads(said.stdout)["never_served"]["objected"] == {"numbers": 1}


@pytest.mark.timeout(600)
def test_a_cache_is_calibrated_for_and_measured(tmp_path: Path) -> None:
    calibrate, measure = (
        [sys.executable, *shlex.split(command.replace("transform.tables", str(tmp_path / "t")))[1:]]
        for command in starting_with("cachemw_codecs")
    )
    _run(calibrate, folder=ROOT, seconds=300)
    said = _run([*measure, "--json"], folder=ROOT, seconds=300)
    found, _ = json.JSONDecoder().raw_decode(said)
    ratios = {(row["codec"], row["level"]): row["ratio"] for row in found["rows"]}
    assert ratios["transform", "medium"] > ratios["lossless", "lossless"] > ratios["raw", "raw"]


def test_a_cache_goes_through_a_file_and_back() -> None:
    (snippet,) = (block for block in blocks("python") if "cachemw_codecs" in block)
    tokenizer = AutoTokenizer.from_pretrained(LAB_MODEL)
    model: Any = AutoModelForCausalLM.from_pretrained(LAB_MODEL, dtype=torch.bfloat16)
    ids = torch.tensor(tokenizer("It was a dark and stormy night; the rain fell.")["input_ids"])
    names = {"model": model, "tokenizer": tokenizer, "ids": ids[:-2], "more_ids": ids[-2:]}

    exec(compile(snippet, "README.md", "exec"), names)

    expected = model(input_ids=ids[None]).logits[0, -2:].float()
    assert torch.allclose(names["logits"], expected, atol=0.2)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
def test_a_client_is_answered_by_the_model_and_then_from_the_cache(
    embedder_cache: Path, tmp_path: Path
) -> None:
    (curl,) = starting_with("chat/completions")
    (snippet,) = (block for block in blocks("python") if "openai" in block)
    command = ".venv/bin/cachemw serve"
    assert command in commands()
    # The lab model computes on the same cores as the verifier.
    more = {"CACHEMW_SEMANTIC__VERIFY_SECONDS": "5"}
    with serve(command, embedder_cache, tmp_path, "/readyz", more) as server:
        # The model answers once it is loaded, so this waits for it.
        first = _run(["sh", "-c", curl.replace(DEFAULT_URL, server.url)])
        assert "x-cachemw-layer: upstream" in first
        again = _run([sys.executable, "-c", snippet.replace(DEFAULT_URL, server.url)])
        # Other credentials are another tenant: the snippet's first answer is its own.
        assert again.startswith("upstream ")
        repeated = _run([sys.executable, "-c", snippet.replace(DEFAULT_URL, server.url)])
        assert repeated.startswith("exact ")
        assert repeated.split(" ", 1)[1] == again.split(" ", 1)[1]
        _complain(server.url)


def _complain(url: str) -> None:
    """Say that a semantic hit was wrong, by the documented command."""
    (command,) = starting_with("cache/feedback")
    key = {"OPENAI_API_KEY": "sk-mine"}

    def ask(text: str, control: str = "max-age=60") -> httpx.Response:
        return httpx.post(
            url + "/v1/chat/completions",
            json={"messages": [{"role": "user", "content": text}]},
            headers={"authorization": f"Bearer {key['OPENAI_API_KEY']}", "cache-control": control},
            timeout=60,
        )

    def hit() -> httpx.Response:
        return ask("How does photosynthesis actually work?", "only-if-cached")

    ask("How does photosynthesis work?")
    wait_until(lambda: hit().is_success, timeout=20, what="semantic hit")
    command = command.replace(DEFAULT_URL, url).replace("chatcmpl-...", hit().json()["id"])
    assert '"removed":true' in _run(["sh", "-c", command], key)
    assert hit().status_code == 504


def _run(
    command: list[str],
    more: Mapping[str, str] = MappingProxyType({}),
    folder: Path | None = None,
    seconds: float = 100,
) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=environment | {**more},
        cwd=folder,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr
