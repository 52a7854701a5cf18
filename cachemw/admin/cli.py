"""`cachemw entries`: the actions, for people and (`--json`) for programs."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from cachemw.admin import transfer
from cachemw.admin.cli_parser import FILTERS, TOKEN_VARIABLE
from cachemw.admin.client import AdminClient, AdminFailed, NoSuchEntry
from cachemw.admin.show import counted, plain, print_entries, print_entry, print_refusals
from cachemw.errors import ConfigError

EXIT_FAILED = 1
EXIT_USE = 2
EXIT_INTERRUPTED = 130
# Wide enough for every column where nobody looks: a pipe has no width.
_PIPE_WIDTH = 180

Act = Callable[[AdminClient, Console, Console], int]
"""Does something with a server, given outputs for results and for everything else."""


class EntriesCommand:
    """One run of the command. `out` is for results, `err` for everything else."""

    def __init__(
        self,
        client: AdminClient,
        out: Console,
        err: Console,
        clock: Callable[[], float],
        *,
        asks: bool,
    ) -> None:
        self._client = client
        self._out = out
        self._err = err
        self._clock = clock
        self._asks = asks

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; returns the exit code. Raises AdminFailed, OSError."""
        actions: Mapping[str, Callable[[argparse.Namespace], int]] = {
            "list": self._list,
            "get": self._get,
            "delete": self._delete,
            "purge": self._purge,
            "export": self._export,
            "import": self._import,
        }
        return actions[arguments.action](arguments)

    def _list(self, arguments: argparse.Namespace) -> int:
        limit = arguments.limit or None
        # One more than is shown says whether there are more.
        found = self._client.entries(_wanted(arguments), None if limit is None else limit + 1)
        if arguments.json:
            shown = 0
            for entry in found:
                if shown == limit:
                    break
                self._json(entry)
                shown += 1
            return 0 if shown else EXIT_FAILED
        entries = list(found)
        if not entries:
            self._err.print("Nothing matches.")
            return EXIT_FAILED
        print_entries(self._out, entries[:limit], self._clock())
        more = limit is not None and len(entries) > limit
        self._err.print(
            f"The first {limit}; there are more (--limit 0 for all)."
            if more
            else f"{counted(len(entries))}."
        )
        return 0

    def _get(self, arguments: argparse.Namespace) -> int:
        entry = self._client.get(self._client.full_id(arguments.id))
        if arguments.json:
            self._json(entry)
        else:
            print_entry(self._out, entry, self._clock())
        return 0

    def _delete(self, arguments: argparse.Namespace) -> int:
        removed, missing = [], []
        for begin in arguments.ids:
            try:
                entry_id = self._client.full_id(begin)
                self._client.delete(entry_id)
            except NoSuchEntry as error:
                missing.append(begin)
                self._err.print(plain(f"{begin}: {error}"))
            else:
                removed.append(entry_id)
        if arguments.json:
            self._json({"removed": removed, "missing": missing})
        else:
            self._out.print(f"{counted(len(removed))} removed.")
        return EXIT_FAILED if missing else 0

    def _purge(self, arguments: argparse.Namespace) -> int:
        wanted = _wanted(arguments)
        if bool(wanted) == arguments.all:
            raise ConfigError("purge: give conditions, or --all for everything (and not both).")
        *_, counts = self._client.purge(wanted, dry_run=True)
        matched = counts["matched"]
        if matched and not arguments.dry_run:
            if not (arguments.yes or self._confirmed(matched, wanted)):
                self._err.print("Nothing was removed.")
                return EXIT_FAILED
            counts = transfer.purge(self._client, wanted, matched, self._err)
        if arguments.json:
            self._json(counts)
        elif arguments.dry_run:
            self._out.print(f"{counted(matched)} would be removed.")
        else:
            self._out.print(f"{counted(counts['removed'])} removed.")
        return 0 if matched else EXIT_FAILED

    def _export(self, arguments: argparse.Namespace) -> int:
        count = transfer.export(self._client, _wanted(arguments), arguments.file, self._err)
        if arguments.file == transfer.STANDARD:
            self._err.print(f"{counted(count)} exported.")
        elif arguments.json:
            self._json({"exported": count, "file": arguments.file})
        else:
            self._out.print(plain(f"{counted(count)} exported to {arguments.file}."))
        return 0 if count else EXIT_FAILED

    def _import(self, arguments: argparse.Namespace) -> int:
        send = partial(self._client.load, keep_going=arguments.keep_going)
        counts = transfer.load(arguments.file, self._err, send)
        if arguments.json:
            self._json(counts)
        else:
            self._out.print(f"{counted(counts['imported'])} imported.")
            if counts["expired"]:
                self._out.print(f"{counted(counts['expired'])} had expired and were left out.")
        if counts["refused"]:
            print_refusals(self._err, counts)
            return EXIT_FAILED
        return 0 if counts["imported"] else EXIT_FAILED

    def _confirmed(self, matched: int, wanted: Mapping[str, Any]) -> bool:
        if not self._asks:
            return True
        conditions = ", ".join(f"{name} {value}" for name, value in wanted.items())
        self._err.print(plain(f"Matching {conditions or 'everything'}: {counted(matched)}."))
        answer = self._err.input("Remove them? [y/N] ", markup=False)
        return answer.strip().lower() in ("y", "yes")

    def _json(self, value: Any) -> None:
        self._out.file.write(orjson.dumps(value).decode() + "\n")


def run_entries(arguments: argparse.Namespace, env: Mapping[str, str]) -> int:
    """Run `cachemw entries` on this terminal; returns the exit code."""

    def act(client: AdminClient, out: Console, err: Console) -> int:
        asks = sys.stdin.isatty()
        return EntriesCommand(client, out, err, time.time, asks=asks).run(arguments)

    return on_server("entries", arguments, env, act)


def on_server(name: str, arguments: argparse.Namespace, env: Mapping[str, str], act: Act) -> int:
    """Let a command act on the server that is named, and say what went wrong, if it did.

    Returns the exit code.
    """
    err = Console(stderr=True, highlight=False, soft_wrap=True)
    out = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    try:
        with closing(AdminClient(arguments.url, _token(arguments, env))) as client:
            return act(client, out, err)
    except ConfigError as error:
        err.print(plain(f"cachemw {name}: {error}"))
        return EXIT_USE
    except KeyboardInterrupt:
        err.print(f"cachemw {name}: interrupted.")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing more can be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except (AdminFailed, OSError) as error:
        err.print(plain(f"cachemw {name}: {error}"))
        return EXIT_FAILED


def _wanted(arguments: argparse.Namespace) -> dict[str, Any]:
    given = {name: getattr(arguments, name) for name in FILTERS}
    return {name: value for name, value in given.items() if value is not None}


def _token(arguments: argparse.Namespace, env: Mapping[str, str]) -> str:
    """Return the token; it never stands on a command line, which others can see."""
    if arguments.token_file is not None:
        try:
            token = Path(arguments.token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"--token-file: {error}.") from None
    else:
        token = env.get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise ConfigError(
            f"No admin token: set {TOKEN_VARIABLE}, or name a file that holds it with --token-file."
        )
    if not token.isascii() or not token.isprintable():
        raise ConfigError("The admin token has characters that no header can carry.")
    return token
