"""`cachemw entries` against a served store, as a person and as a program sees it."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cachemw.admin.cli import EXIT_FAILED, EXIT_USE, EntriesCommand
from cachemw.admin.cli_parser import TOKEN_VARIABLE, add_entries_parser
from cachemw.admin.client import AdminClient
from cachemw.cli import main
from cachemw.stores.base import Document
from cachemw.stores.memory import MemoryStore
from tests.cachemw.admin.conftest import TOKEN, admin_over, document, embedded
from tests.support.servers import ServerThread, free_port
from tests.support.service import Clock


@dataclass
class Served:
    """A server with entries, and the command line on it."""

    url: str
    store: MemoryStore
    capsys: pytest.CaptureFixture[str]

    def put(self, *documents: Document) -> None:
        for each in documents:
            asyncio.run(self.store.put(each))

    def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """Run `cachemw entries ARGUMENTS`; returns what it wrote to its two outputs."""
        assert main(["entries", *arguments, "--url", self.url]) == code
        written = self.capsys.readouterr()
        return written.out, written.err

    def json(self, *arguments: str, code: int = 0) -> list[Any]:
        return [
            json.loads(line) for line in self.run(*arguments, "--json", code=code)[0].splitlines()
        ]

    def ids(self) -> set[str]:
        return {each["id"] for each in self.json("list", "--limit", "0", code=0)}


@pytest.fixture
def served(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    clock = Clock()
    store = MemoryStore(clock, 1 << 28)
    with ServerThread(admin_over(store, clock).app) as server:
        yield Served(server.url, store, capsys)


def test_a_list_for_people(served: Served) -> None:
    served.put(*(document(n) for n in range(3)))
    out, err = served.run("list")
    assert document(1).key.hex()[:12] in out
    assert "chat.completions" in out
    assert "alice" in out
    assert "3 entries." in err
    _, err = served.run("list", "--limit", "2")
    assert "there are more" in err
    _, err = served.run("list", "--limit", "3")
    assert "there are more" not in err


def test_a_list_for_programs(served: Served) -> None:
    served.put(*(document(n, tenant="bob" if n else "alice") for n in range(60)))
    assert len(served.json("list")) == 50
    assert len(served.json("list", "--limit", "0", "--tenant", "bob")) == 59
    assert served.json("list", "--tenant", "nobody", code=EXIT_FAILED) == []


def test_one_entry_by_the_beginning_of_its_id(served: Served) -> None:
    served.put(document(1, prompt="What is [bold]this[/]? \x1b[31m"))
    out, _ = served.run("get", document(1).key.hex()[:8])
    assert "What is [bold]this[/]? \ufffd[31m" in out
    assert "Answer 1" in out
    assert "\x1b" not in out
    (entry,) = served.json("get", document(1).key.hex())
    assert entry["prompt"].startswith("What is")
    _, err = served.run("get", "ffffffff", code=EXIT_FAILED)
    assert "no entry with an id that begins with ffffffff" in err


def test_a_beginning_that_several_share(served: Served) -> None:
    served.put(*(document(n, key=b"\xaa\xbb" + bytes([n]) * 30) for n in range(2)))
    _, err = served.run("get", "aabb", code=EXIT_FAILED)
    assert "several entries" in err


def test_delete(served: Served) -> None:
    one, two = document(1).key.hex(), document(2).key.hex()
    served.put(document(1), document(2))
    assert served.json("delete", one[:10]) == [{"removed": [one], "missing": []}]
    out, err = served.run("delete", two, "abcd", code=EXIT_FAILED)
    assert "1 entry removed." in out
    assert "abcd" in err
    assert served.json("list", code=EXIT_FAILED) == []


def test_purge(served: Served) -> None:
    served.put(*(document(n, tags=("x",) if n % 2 else ()) for n in range(10)))
    out, _ = served.run("purge", "--tag", "x", "--dry-run")
    assert out == "5 entries would be removed.\n"
    assert len(served.ids()) == 10
    assert served.json("purge", "--tag", "x", "--older-than", "8s") == [
        {"matched": 1, "removed": 1, "dry_run": False}
    ]
    out, _ = served.run("purge", "--tag", "x", "--yes")
    assert out == "4 entries removed.\n"
    out, _ = served.run("purge", "--tag", "x", code=EXIT_FAILED)
    assert out == "0 entries removed.\n"
    assert len(served.ids()) == 5
    served.run("purge", code=EXIT_USE)
    served.run("purge", "--all", "--tag", "x", code=EXIT_USE)
    assert len(served.ids()) == 5
    served.run("purge", "--all")
    assert served.json("list", code=EXIT_FAILED) == []


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("", 1), ("n", 1), ("nyes", 1)])
def test_a_person_is_asked(
    served: Served, monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    served.put(document(1))
    monkeypatch.setattr("builtins.input", lambda *_: answer)
    said = io.StringIO()
    client = AdminClient(served.url, TOKEN)
    command = EntriesCommand(client, Console(file=said), Console(file=said), Clock(), asks=True)
    arguments = _parsed("purge", "--tenant", "alice")
    assert command.run(arguments) == (EXIT_FAILED if left else 0)
    client.close()
    assert "Matching tenant alice: 1 entry." in said.getvalue()
    assert len(served.store._entries) == left


def test_export_purge_import(served: Served, tmp_path: Path) -> None:
    documents = [document(n, embedded=embedded(n)) for n in range(130)]
    served.put(*documents)
    file = tmp_path / "backup.jsonl"
    out, _ = served.run("export", str(file))
    assert out == f"130 entries exported to {file}.\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]
    served.run("purge", "--all")
    assert served.run("import", str(file))[0] == "130 entries imported.\n"
    for each in documents:
        assert asyncio.run(served.store.get(each.key)) == each


def test_an_export_that_fails_leaves_what_was_there(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "backup.jsonl"
    file.write_text("the last one")
    served.put(document(1))
    monkeypatch.setattr(AdminClient, "export", _interrupted)
    served.run("export", str(file), code=130)
    assert file.read_text() == "the last one"
    assert list(tmp_path.iterdir()) == [file]


def _interrupted(*_: Any) -> Iterator[bytes]:
    yield b"{}"
    raise KeyboardInterrupt


def test_an_import_with_wrong_lines(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "some.jsonl"
    served.put(document(1))
    served.run("export", str(file))
    file.write_bytes(file.read_bytes() + b"{}\nnothing\n")
    out, err = served.run("import", str(file), code=EXIT_FAILED)
    assert "Line 2, field 'id': Field required. Stored before that: 1." in err
    out, err = served.run("import", str(file), "--keep-going", code=EXIT_FAILED)
    assert out == "1 entry imported.\n"
    assert "line 2, id: Field required" in err
    assert "line 3: Invalid JSON" in err
    (counts,) = served.json("import", str(file), "--keep-going", code=EXIT_FAILED)
    assert (counts["imported"], counts["refused"]) == (1, 2)
    _, err = served.run("import", str(tmp_path / "none"), code=EXIT_FAILED)
    assert "No such file" in err


def test_tokens(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served.put(document(1))
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    monkeypatch.setenv(TOKEN_VARIABLE, "wrong")
    _, err = served.run("list", code=EXIT_FAILED)
    assert err == "cachemw entries: This is not the admin token.\n"
    served.run("list", "--token-file", str(file))
    monkeypatch.delenv(TOKEN_VARIABLE)
    _, err = served.run("list", code=EXIT_USE)
    assert TOKEN_VARIABLE in err
    served.run("list", "--token-file", str(tmp_path / "none"), code=EXIT_USE)
    file.write_text("Grüße")
    served.run("list", "--token-file", str(file), code=EXIT_USE)


def test_no_server(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    url = f"http://127.0.0.1:{free_port()}"
    assert main(["entries", "list", "--url", url]) == EXIT_FAILED
    assert f"No server answers at {url}" in capsys.readouterr().err


def _parsed(*arguments: str) -> Any:
    parser = argparse.ArgumentParser()
    add_entries_parser(parser.add_subparsers())
    return parser.parse_args(["entries", *arguments])
