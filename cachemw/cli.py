"""The command line, `cachemw COMMAND`: `cachemw --help` names the commands."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cachemw import __version__
from cachemw.admin.cli_parser import (
    add_categories_parser,
    add_entries_parser,
    add_labels_parser,
)
from cachemw.calibrate.parser import add_calibrate_parser
from cachemw.config import Config, load_config, load_file
from cachemw.errors import ConfigError

_EXAMPLES = """examples:
  cachemw demo                          see it work on this machine, no key needed
  cachemw serve                         proxy on http://127.0.0.1:8080/v1
  OPENAI_API_KEY=... cachemw serve      the same in front of OpenAI
  cachemw serve --config cachemw.yaml   with a configuration file
  cachemw check-config cachemw.yaml     say whether a file can be used
  cachemw entries list                  what a running server has stored
  cachemw categories                    what it serves by category, and why
  cachemw calibrate pairs.jsonl         what thresholds are worth on your own questions
  cachemw labels import labels.jsonl    have a running server learn from them
  cachemw new-key --name alice          make an API key and the lines for the configuration
"""

EXIT_CONFIG = 2
_SECRET = frozenset({"api_key", "sha256", "token_sha256", "url"})


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code (2: the configuration cannot be used)."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except ConfigError as error:
        return refused(error)


def refused(error: ConfigError) -> int:
    """Say what is wrong with the configuration; returns the exit code."""
    print(f"cachemw: configuration error\n{_indented(str(error))}", file=sys.stderr)
    return EXIT_CONFIG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cachemw",
        description="A caching middleware for LLMs: a drop-in OpenAI-compatible proxy.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"cachemw {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    serve = commands.add_parser("serve", help="run the proxy")
    serve.add_argument("--config", type=Path, metavar="FILE", help="YAML file (default: none)")
    serve.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", type=_port, help="port to listen on (default: 8080)")
    serve.add_argument("--workers", type=int, help="processes that serve (default: 1)")
    serve.set_defaults(run=_serve)

    demo = commands.add_parser("demo", help="a session against a real model on this machine")
    demo.add_argument("--keep", action="store_true", help="leave the proxy running afterwards")
    demo.add_argument("--json", action="store_true", help="print the table as JSON lines")
    demo.set_defaults(run=_demo)

    check = commands.add_parser("check-config", help="say whether a file can be used")
    check.add_argument("file", type=Path, metavar="FILE")
    check.add_argument("--json", action="store_true", help="print the configuration in force")
    check.set_defaults(run=_check)

    key = commands.add_parser(
        "new-key", help="make an API key for clients of the proxy, or a token for /cache/*"
    )
    key.add_argument("--name", default="NAME", help="whose key it is")
    key.add_argument("--json", action="store_true", help="print one line of JSON")
    key.set_defaults(run=_new_key)

    add_entries_parser(commands).set_defaults(run=_entries)
    add_categories_parser(commands).set_defaults(run=_categories)
    add_labels_parser(commands).set_defaults(run=_labels)
    add_calibrate_parser(commands).set_defaults(run=_calibrate)
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{port} is not a port (0 to 65535)")
    return port


def _serve(arguments: argparse.Namespace) -> int:
    _one_blas_thread()
    # Imported here and below: `--help` and `check-config` need none of it.
    from cachemw.logs import set_up_logs

    config = _with_server(_config(arguments.config), arguments)
    set_up_logs(config.logs.level, config.logs.format)
    if config.server.workers > 1:
        from cachemw.workers.run import run_workers

        return run_workers(config)
    from cachemw.app import build
    from cachemw.server import serve

    return serve(build(config), config.server)


def _with_server(config: Config, arguments: argparse.Namespace) -> Config:
    """Return the configuration with what the command line says. Raises ConfigError."""
    names = ("host", "port", "workers")
    given = {name: getattr(arguments, name) for name in names}
    chosen = {name: value for name, value in given.items() if value is not None}
    try:
        server = config.server.model_validate(config.server.model_dump() | chosen)
    except ValidationError as error:
        where = error.errors()[0]["loc"][0]
        raise ConfigError(f"--{where}: {error.errors()[0]['msg']}.") from None
    return config.model_copy(update={"server": server})


def _demo(arguments: argparse.Namespace) -> int:
    _one_blas_thread()
    from cachemw.demo.run import run_demo

    return run_demo(keep=arguments.keep, as_json=arguments.json)


def _check(arguments: argparse.Namespace) -> int:
    config = load_file(arguments.file)
    if arguments.json:
        print(json.dumps(_without_secrets(config.model_dump(mode="json")), indent=2))
    else:
        print(f"{arguments.file}: ok, {len(config.upstreams)} upstream(s), mode {config.mode}")
    return 0


def _without_secrets(shown: dict[str, Any]) -> dict[str, Any]:
    """Put `(set)` in place of what is, or opens, something secret: keys, hashes, URLs of stores."""
    holders = [*shown["upstreams"], *shown["identity"]["keys"], shown["admin"], shown["store"]]
    for holder in holders:
        for name in _SECRET & holder.keys():
            holder[name] = None if holder[name] is None else "(set)"
    return shown


def _new_key(arguments: argparse.Namespace) -> int:
    """Print a key, once: nothing keeps it, and it cannot be had from its hash."""
    from secrets import token_urlsafe

    from cachemw.identity.virtual_keys import key_digest, new_key

    key = new_key(token_urlsafe)
    digest = key_digest(key).hex()
    if arguments.json:
        print(json.dumps({"name": arguments.name, "key": key, "sha256": digest}))
        return 0
    entry = json.dumps({"name": arguments.name, "sha256": digest, "tenant": arguments.name})
    print(f"key     {key}")
    print(f"sha256  {digest}")
    print(
        "\nThe key is shown once: hand it to its user. For the configuration, which needs the hash"
    )
    print(f"alone:\n\nidentity:\n  keys:\n    - {entry}")
    return 0


def _entries(arguments: argparse.Namespace) -> int:
    from cachemw.admin.cli import run_entries

    return run_entries(arguments, os.environ)


def _categories(arguments: argparse.Namespace) -> int:
    from cachemw.admin.categories_cli import run_categories

    return run_categories(arguments, os.environ)


def _labels(arguments: argparse.Namespace) -> int:
    from cachemw.admin.labels_cli import run_labels

    return run_labels(arguments, os.environ)


def _calibrate(arguments: argparse.Namespace) -> int:
    _one_blas_thread()
    from cachemw.calibrate.command import run_calibrate

    return run_calibrate(arguments)


def _one_blas_thread() -> None:
    """Keep numpy's products on the calling thread: DESIGN.md. Only before numpy is imported."""
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")


def _config(path: Path | None) -> Config:
    return load_config(None) if path is None else load_file(path)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
