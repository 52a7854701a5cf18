"""What the commands that measure running servers have in common: run, print, write."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable

from loadtests.http.shots import Incorrect


def write_report(
    run: Callable[[argparse.Namespace], str],
    options: argparse.Namespace,
    fault: str = "incorrect reply",
) -> int:
    """Print what `run` returns and write it to `options.out`, unless there is nothing to say.

    Returns the exit code: 1 where something was incorrect, which is said after `fault`.
    """
    # As an exception, so that the servers are stopped too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        text = run(options)
    except Incorrect as error:
        print(f"{fault}: {error}", file=sys.stderr)
        return 1
    if text:
        print(text)
        options.out.parent.mkdir(exist_ok=True)
        options.out.write_text(text, "utf-8")
    return 0
