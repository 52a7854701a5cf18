"""`cachemw categories`: what a running server knows of each category."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import orjson
from rich.console import Console

from cachemw.admin.categories_show import print_categories, print_category
from cachemw.admin.cli import EXIT_FAILED, on_server
from cachemw.admin.client import AdminClient
from cachemw.admin.show import plain


def run_categories(arguments: argparse.Namespace, env: Mapping[str, str]) -> int:
    """Run `cachemw categories` on this terminal; returns the exit code."""

    def act(client: AdminClient, out: Console, err: Console) -> int:
        return show_categories(client, out, err, arguments)

    return on_server("categories", arguments, env, act)


def show_categories(
    client: AdminClient, out: Console, err: Console, arguments: argparse.Namespace
) -> int:
    """Show all, or the one that is named; returns the exit code. Raises AdminFailed."""
    name = arguments.name
    found = [one for one in client.categories() if name in (None, one["category"])]
    if not found:
        err.print(plain("There are none." if name is None else f"There is no category {name}."))
        return EXIT_FAILED
    if arguments.json:
        shown: Any = {"categories": found} if name is None else found[0]
        out.file.write(orjson.dumps(shown).decode() + "\n")
    elif name is None:
        print_categories(out, found)
    else:
        print_category(out, found[0])
    return 0
