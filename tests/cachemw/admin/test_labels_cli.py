"""`cachemw labels import` against a served app."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cachemw.admin.cli import EXIT_FAILED, EXIT_USE
from cachemw.admin.cli_parser import TOKEN_VARIABLE
from cachemw.cli import main
from cachemw.stores.memory import MemoryStore
from tests.cachemw.admin.conftest import TOKEN, Admin, admin_over
from tests.cachemw.admin.test_labels import body, label
from tests.support.servers import ServerThread
from tests.support.service import Clock

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def served(clock: Clock) -> Admin:
    return admin_over(MemoryStore(clock, 1 << 20), clock)


@pytest.fixture
def run(
    served: Admin, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with ServerThread(served.app) as server:

        def run(*arguments: str) -> tuple[int, str, str]:
            code = main(["labels", "import", *arguments, "--url", server.url])
            return code, *capsys.readouterr()

        yield run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(body(*(label(n) for n in range(1200))))
    return path


def test_for_people(run: Run, file: Path) -> None:
    assert run(str(file), "--dry-run") == (0, "1,200 labels would be imported.\n", "")
    assert run(str(file)) == (0, "1,200 labels imported.\n", "")


def test_for_programs(run: Run, file: Path) -> None:
    code, out, err = run(str(file), "--json")
    assert (code, err) == (0, "")
    counts = json.loads(out)
    assert (counts["imported"], counts["refused"], counts["other_scale"]) == (1200, 0, 0)


def test_labels_of_another_verifier_are_a_warning(run: Run, served: Admin, file: Path) -> None:
    served.in_force.scale = "verifier-2"
    code, out, err = run(str(file))
    assert (code, out) == (0, "1,200 labels imported.\n")
    assert "1,200 labels of another verifier than the one in force (verifier-2)" in err
    served.in_force.scale = ""
    code, _, err = run(str(file), "--dry-run")
    assert code == 0
    assert "no verifier loaded" in err


def test_wrong_lines(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(body(label(1), label(2, category="gone")))
    code, out, err = run(str(path))
    assert (code, out) == (EXIT_FAILED, "")
    assert "Line 2, field 'category': not one of code, default." in err
    code, out, err = run(str(path), "--keep-going")
    assert (code, out) == (EXIT_FAILED, "1 label imported.\n")
    assert err == "line 2, category: not one of code, default\n"
    path.write_bytes(b"")
    assert run(str(path))[0] == EXIT_FAILED
    assert "No such file" in run(str(tmp_path / "none"))[2]


def test_without_a_token(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "wrong")
    assert run(str(file)) == (EXIT_FAILED, "", "cachemw labels: This is not the admin token.\n")
    monkeypatch.delenv(TOKEN_VARIABLE)
    assert run(str(file))[0] == EXIT_USE
