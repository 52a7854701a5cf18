"""`cachemw labels import`: judged pairs to a running server."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson
from rich.console import Console

from cachemw.admin import transfer
from cachemw.admin.cli import EXIT_FAILED, on_server
from cachemw.admin.client import AdminClient
from cachemw.admin.show import plain, print_refusals


def run_labels(arguments: argparse.Namespace, env: Mapping[str, str]) -> int:
    """Run `cachemw labels` on this terminal; returns the exit code."""

    def act(client: AdminClient, out: Console, err: Console) -> int:
        return import_labels(client, out, err, arguments)

    return on_server("labels", arguments, env, act)


def import_labels(
    client: AdminClient, out: Console, err: Console, arguments: argparse.Namespace
) -> int:
    """Import a file; returns the exit code. Raises AdminFailed, OSError."""
    dry_run = arguments.dry_run
    send = partial(client.load_labels, keep_going=arguments.keep_going, dry_run=dry_run)
    counts = transfer.load(arguments.file, err, send)
    if arguments.json:
        out.file.write(orjson.dumps(counts).decode() + "\n")
    else:
        what = "would be imported" if dry_run else "imported"
        out.print(f"{_counted(counts['imported'])} {what}.")
        _warn(err, counts)
    if counts["refused"]:
        print_refusals(err, counts)
        return EXIT_FAILED
    return 0 if counts["imported"] else EXIT_FAILED


def _warn(err: Console, counts: Mapping[str, Any]) -> None:
    """Say what of it has no effect now."""
    if counts["scale"] is None:
        err.print("The server has no verifier loaded: whether it is that of the labels is open.")
    elif counts["other_scale"]:
        said = (
            f"{_counted(counts['other_scale'])} of another verifier than the one in force "
            f"({counts['scale']}): of no effect until theirs is."
        )
        err.print(plain(said))


def _counted(count: int) -> str:
    return "1 label" if count == 1 else f"{count:,} labels"
