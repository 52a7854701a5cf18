"""`cachemw categories` against a served app."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from cachemw.admin.cli import EXIT_FAILED, EXIT_USE
from cachemw.admin.cli_parser import TOKEN_VARIABLE
from cachemw.cli import main
from cachemw.stores.memory import MemoryStore
from tests.cachemw.admin.conftest import TOKEN, SomeCategories, admin_over, category_view
from tests.support.servers import ServerThread
from tests.support.service import Clock

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    clock = Clock()
    source = SomeCategories((category_view("code"), category_view("medical", entries=7)))
    admin = admin_over(MemoryStore(clock, 1 << 20), clock, categories=source)
    with ServerThread(admin.app) as server:

        def run(*arguments: str) -> tuple[int, str, str]:
            code = main(["categories", *arguments, "--url", server.url])
            return code, *capsys.readouterr()

        yield run


def test_for_people(run: Run) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert "code" in out
    assert "medical" in out
    code, out, _ = run("medical")
    assert code == 0
    assert "policy delta_overload" in out
    assert "code" not in out


def test_for_programs(run: Run) -> None:
    _, out, _ = run("--json")
    assert [one["category"] for one in json.loads(out)["categories"]] == ["code", "medical"]
    _, out, _ = run("medical", "--json")
    assert json.loads(out)["entries"] == 7


def test_what_is_not_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("legal") == (EXIT_FAILED, "", "There is no category legal.\n")
    monkeypatch.setenv(TOKEN_VARIABLE, "wrong")
    assert run() == (EXIT_FAILED, "", "cachemw categories: This is not the admin token.\n")
    monkeypatch.delenv(TOKEN_VARIABLE)
    code, _, err = run()
    assert code == EXIT_USE
    assert TOKEN_VARIABLE in err


def test_help_has_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["categories", "--help"])
    out = capsys.readouterr().out
    assert "cachemw categories medical" in out
    assert "exit codes" in out
