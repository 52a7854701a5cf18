"""The arguments of `cachemw entries`, `cachemw categories` and `cachemw labels`."""

from __future__ import annotations

import argparse
import re
from typing import Any
from urllib.parse import urlsplit

DEFAULT_URL = "http://127.0.0.1:8080"
TOKEN_VARIABLE = "CACHEMW_ADMIN_TOKEN"  # noqa: S105 - a name, no secret

_EXAMPLES = """examples:
  export CACHEMW_ADMIN_TOKEN=...                      the token of the server's admin section
  cachemw entries list --model gpt-4o --limit 20      what is stored of a model
  cachemw entries get 3fa94c                          one entry, by the beginning of its id
  cachemw entries purge --tag news --older-than 1d    asks before it removes anything
  cachemw entries purge --tenant acme --dry-run       says what it would remove
  cachemw entries export backup.jsonl                 all entries, with their vectors
  cachemw entries import backup.jsonl                 and back, into this or another server

exit codes:
  0  done      1  nothing matched, or it failed      2  wrong use      130  interrupted
"""

_CATEGORIES_EXAMPLES = """examples:
  export CACHEMW_ADMIN_TOKEN=...                      the token of the server's admin section
  cachemw categories                                  a row for each
  cachemw categories medical                          all that is known of one, its policy included
  cachemw categories --json                           as GET /cache/categories has it

exit codes:
  0  done      1  no such category, or it failed      2  wrong use      130  interrupted
"""

_LABELS_EXAMPLES = """examples:
  export CACHEMW_ADMIN_TOKEN=...                      the token of the server's admin section
  cachemw calibrate pairs.jsonl --labels l.jsonl --category code     judge your own pairs
  cachemw labels import l.jsonl --dry-run             say whether the server can use them
  cachemw labels import l.jsonl                       have its threshold proven by them

exit codes:
  0  done      1  nothing imported, lines refused, or it failed      2  wrong use
  130  interrupted
"""

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
# The conditions of a filter, with what they say in --help.
_CONDITIONS = {
    "tenant": "exactly this tenant",
    "model": "exactly this model",
    "endpoint": "chat.completions, completions, embeddings or responses",
    "tag": "with this tag among others",
    "category": "exactly this category",
}
FILTERS = (*_CONDITIONS, "older_than", "younger_than")


def add_entries_parser(commands: Any) -> argparse.ArgumentParser:
    """Add `entries` with its actions to a command line's subcommands."""
    entries: argparse.ArgumentParser = commands.add_parser(
        "entries",
        help="look at what is stored, remove it, export and import it",
        description="Looks at and changes what a running cachemw has stored.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = entries.add_subparsers(metavar="ACTION", required=True, dest="action")
    listing = _action(actions, "list", "list entries", filters=True)
    listing.add_argument(
        "--limit", type=_limit, default=50, help="entries at most, 0 for all (default: 50)"
    )
    get = _action(actions, "get", "show one entry with its prompt and answer")
    get.add_argument("id", type=_entry_id, help="id, or how it begins")
    delete = _action(actions, "delete", "remove entries by id")
    delete.add_argument("ids", type=_entry_id, nargs="+", metavar="id", help="id, or its beginning")
    _add_purge(actions)
    export = _action(actions, "export", "write entries as JSON lines", filters=True)
    export.add_argument("file", nargs="?", default="-", help="default: standard output")
    load = _action(actions, "import", "store exported entries")
    _add_lines(load)
    return entries


def add_categories_parser(commands: Any) -> argparse.ArgumentParser:
    """Add `categories` to a command line's subcommands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "categories",
        help="show entries, thresholds, false hits and benefit by category",
        description="Shows what a running cachemw knows of each category.",
        epilog=_CATEGORIES_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("name", nargs="?", help="one category, with all that is known of it")
    _add_server(parser)
    return parser


def add_labels_parser(commands: Any) -> argparse.ArgumentParser:
    """Add `labels` with its action to a command line's subcommands."""
    labels: argparse.ArgumentParser = commands.add_parser(
        "labels",
        help="hand judged pairs to a running server, which learns its thresholds from them",
        description="Hands labels that were made offline to a running cachemw.",
        epilog=_LABELS_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = labels.add_subparsers(metavar="ACTION", required=True, dest="action")
    load = _action(actions, "import", "learn from labels that `cachemw calibrate` wrote")
    _add_lines(load)
    load.add_argument("--dry-run", action="store_true", help="check and count only")
    return labels


def _add_lines(load: argparse.ArgumentParser) -> None:
    load.add_argument("file", nargs="?", default="-", help="default: standard input")
    load.add_argument("--keep-going", action="store_true", help="skip lines that are wrong")


def _add_purge(actions: Any) -> None:
    purge = _action(actions, "purge", "remove entries by condition", filters=True)
    purge.add_argument("--all", action="store_true", help="everything; instead of a condition")
    purge.add_argument("--dry-run", action="store_true", help="count only")
    purge.add_argument("--yes", "-y", action="store_true", help="do not ask")


def _action(
    actions: Any, name: str, text: str, *, filters: bool = False
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        # `--token SECRET` must not pass for `--token-file SECRET`, nor a condition for another.
        allow_abbrev=False,
    )
    if filters:
        group = parser.add_argument_group("conditions, all of which must hold")
        for condition, meaning in _CONDITIONS.items():
            group.add_argument(f"--{condition}", type=_condition, help=meaning)
        group.add_argument("--older-than", type=seconds, metavar="AGE", help="90s, 15m, 12h, 7d")
        group.add_argument("--younger-than", type=seconds, metavar="AGE", help="the same")
    _add_server(parser)
    return parser


def _add_server(parser: argparse.ArgumentParser) -> None:
    server = parser.add_argument_group("server")
    server.add_argument("--url", type=_url, default=DEFAULT_URL, help=f"default: {DEFAULT_URL}")
    server.add_argument(
        "--token-file", metavar="FILE", help=f"holds the admin token (default: ${TOKEN_VARIABLE})"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def seconds(text: str) -> float:
    """Return an age such as 90, 90s, 15m, 12h, 7d, 2w in seconds."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhdw]?)", text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no age; such as 90s, 15m, 12h, 7d or 2w")
    return float(found[1]) * _UNITS[found[2]]


def _condition(text: str) -> str:
    if not text:
        # An unset variable in a script: to leave the condition out would widen what is removed.
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def _entry_id(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{4,64}", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no id; 4 to 64 of the digits 0-9 a-f")
    return text


def _limit(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no number")
    return int(text)


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise argparse.ArgumentTypeError(f"'{text}' is no URL such as {DEFAULT_URL}")
    return text.rstrip("/")
