"""The worker process: `python -m cachemw.local.worker --model PATH --name NAME --uds SOCKET`.

Serves one causal LM over a Unix domain socket, which appears once the model is loaded.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from cachemw.parent import exit_at_eof

EXIT_WITHIN_S = 10
"""Seconds an orphaned worker has to finish by itself: more than its grace for open responses."""


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; exits with a message when it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m cachemw.local.worker", description=__doc__)
    parser.add_argument("--model", required=True, help="directory or hub name of a causal LM")
    parser.add_argument("--name", required=True, help="the model's name in requests")
    parser.add_argument("--uds", required=True, type=Path, help="socket to listen on")
    parser.add_argument("--threads", type=_positive, default=1, help="CPU threads for the model")
    parser.add_argument(
        "--max-concurrency", type=_positive, default=4, help="generations advanced in turn"
    )
    parser.add_argument(
        "--max-queue", type=_positive, default=32, help="generations that may wait; beyond it 429"
    )
    parser.add_argument(
        "--exit-on-stdin-eof", action="store_true", help="exit when the parent closes our stdin"
    )
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def main(argv: Sequence[str]) -> None:
    """Load the model, then serve until told to stop."""
    arguments = parse_arguments(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if arguments.exit_on_stdin_eof:
        exit_at_eof(sys.stdin.fileno(), EXIT_WITHIN_S)
    # Seconds of importing torch and transformers: not before the command line is known to be good
    # and the parent is watched.
    from cachemw.local.serve import serve  # noqa: PLC0415

    serve(
        arguments.model,
        arguments.name,
        arguments.uds,
        threads=arguments.threads,
        max_concurrency=arguments.max_concurrency,
        max_queue=arguments.max_queue,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
