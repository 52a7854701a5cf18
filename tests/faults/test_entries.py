"""`cachemw entries` against real servers: what is removed stays removed, everywhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.faults.conftest import ROOT, Fleet, ask, only_if_cached
from tests.support import redis_server as servers
from tests.support.servers import ServerProcess, wait_until

TOKEN = "the-token-of-this-test"
ADMIN = {"token_sha256": sha256(TOKEN.encode()).hexdigest()}
QUESTION = "How do I reset my account password?"
PARAPHRASE = "How can I reset my account password?"
redis_server = servers.redis_server
Entries = Callable[..., list[Any]]


def _command(server: ServerProcess, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "cachemw", "entries", *arguments, "--url", server.url]


def _environment() -> dict[str, str]:
    return os.environ | {"CACHEMW_ADMIN_TOKEN": TOKEN}


@pytest.fixture
def entries() -> Entries:
    """Run `cachemw entries ARGUMENTS --json` to its end; returns what it printed."""

    def run(server: ServerProcess, *arguments: str, code: int = 0) -> list[Any]:
        done = subprocess.run(
            [*_command(server, *arguments), "--json"],
            cwd=ROOT,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def _stored(server: ServerProcess, text: str) -> bool:
    """Whether there is an answer to serve."""
    return only_if_cached(server, text).status_code == 200


def test_a_restart_does_not_undo_a_purge(fleet: Fleet, entries: Entries) -> None:
    upstream = fleet.upstream()
    config = fleet.config(upstream.url, admin=ADMIN)
    server = fleet.cachemw(config)
    for number in range(20):
        ask(server, f"Question {number}")
    assert len(entries(server, "list")) == 20
    (counts,) = entries(server, "purge", "--model", "fake-large", "--younger-than", "1h")
    assert counts == {"matched": 20, "removed": 20, "dry_run": False}
    server.kill()
    server = fleet.cachemw(config)
    assert entries(server, "list", code=1) == []
    assert not _stored(server, "Question 0")


def test_export_purge_import_hits_as_before(fleet: Fleet, entries: Entries, tmp_path: Path) -> None:
    upstream = fleet.upstream()
    server = fleet.cachemw(fleet.config(upstream.url, mode="semantic", admin=ADMIN))
    first = ask(server, QUESTION).json()["choices"]
    # The vector may follow in a second write.
    wait_until(lambda: _stored(server, PARAPHRASE), timeout=30, what="vector")
    before, after = tmp_path / "before.jsonl", tmp_path / "after.jsonl"
    entries(server, "export", str(before))
    assert entries(server, "purge", "--all")[0]["removed"] == 1
    # Neither by its key nor by its vector.
    assert not _stored(server, QUESTION)
    assert not _stored(server, PARAPHRASE)
    assert entries(server, "import", str(before))[0]["imported"] == 1
    wait_until(lambda: _stored(server, PARAPHRASE), timeout=30, what="semantic hit")
    upstream.kill()
    exact = ask(server, QUESTION)
    assert exact.headers["x-cachemw-layer"] == "exact"
    assert exact.json()["choices"] == first
    entries(server, "export", str(after))
    assert after.read_bytes() == before.read_bytes()


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_purge_reaches_another_replica(
    fleet: Fleet, entries: Entries, kind: str, request: pytest.FixtureRequest
) -> None:
    upstream = fleet.upstream()
    sections: dict[str, Any] = {"admin": ADMIN}
    if kind == "redis":
        url = request.getfixturevalue("redis_server").url
        sections["store"] = {"kind": "redis", "url": url, "namespace": uuid4().hex}
    config = fleet.config(upstream.url, mode="semantic", **sections)
    one, other = fleet.cachemw(config), fleet.cachemw(config)
    ask(one, QUESTION)
    # Now it is in the other's memory, and its vector in the other's index.
    assert ask(other, QUESTION).headers["x-cachemw-layer"] == "exact"
    wait_until(lambda: _stored(other, PARAPHRASE), timeout=30, what="vector there")
    (entry,) = entries(one, "list")
    entries(one, "purge", "--tenant", entry["tenant"])
    wait_until(lambda: not _stored(other, QUESTION), timeout=20, what="purge there")
    assert not _stored(other, PARAPHRASE)


def test_an_interrupted_export_leaves_no_file(
    fleet: Fleet, entries: Entries, tmp_path: Path
) -> None:
    upstream = fleet.upstream()
    server = fleet.cachemw(fleet.config(upstream.url, admin=ADMIN))
    ask(server, QUESTION)
    line = tmp_path / "line.jsonl"
    entries(server, "export", str(line))
    many = tmp_path / "many.jsonl"
    entry = json.loads(line.read_text())
    with many.open("w") as out:
        for number in range(20_000):
            entry["id"] = sha256(b"%d" % number).hexdigest()
            out.write(json.dumps(entry) + "\n")
    assert entries(server, "import", str(many))[0]["imported"] == 20_000
    folder = tmp_path / "exports"
    folder.mkdir()
    process = subprocess.Popen(
        _command(server, "export", str(folder / "all.jsonl")),
        cwd=ROOT,
        env=_environment(),
        stderr=subprocess.DEVNULL,
        # A shell starts what it puts in the background with SIGINT ignored, and that is inherited.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    wait_until(lambda: any(folder.iterdir()), timeout=60, what="an export that writes")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert not list(folder.iterdir())
