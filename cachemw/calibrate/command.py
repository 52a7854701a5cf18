"""`cachemw calibrate`: one run."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from cachemw.admin.show import plain
from cachemw.calibrate.judge import Decider, Progress, judge
from cachemw.calibrate.label_lines import labels, write_labels
from cachemw.calibrate.load import load_decider
from cachemw.calibrate.pairs import BadPairs, read_pairs
from cachemw.calibrate.report import as_json, findings, print_findings
from cachemw.config import Config, load_config, load_file
from cachemw.errors import ConfigError

EXIT_INPUT = 2
EXIT_INTERRUPTED = 130
# Wide enough for the table where nobody looks: a pipe has no width.
_PIPE_WIDTH = 120

Load = Callable[[Config], Decider]


def run_calibrate(arguments: argparse.Namespace, load: Load = load_decider) -> int:
    """Run `cachemw calibrate` on this terminal; returns the exit code."""
    err = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        calibrate(arguments, load, err)
    except (BadPairs, ConfigError, OSError) as error:
        err.print(plain(f"cachemw calibrate: {error}"))
        return EXIT_INPUT
    except KeyboardInterrupt:
        err.print("cachemw calibrate: interrupted.")
        return EXIT_INTERRUPTED
    return 0


def calibrate(arguments: argparse.Namespace, load: Load, err: Console) -> None:
    """Judge the pairs and say what was found. Raises BadPairs, ConfigError, OSError."""
    pairs = read_pairs(arguments.pairs, arguments.limit)
    if arguments.labels is not None:
        _check_writable(arguments.labels)
    config = load_config(None) if arguments.config is None else load_file(arguments.config)
    with closing(load(config)) as decider, _progress(err) as progress:
        judged = judge(decider, pairs, progress)
        found, scale = findings(decider, pairs, judged), decider.scale
    if arguments.json:
        sys.stdout.write(orjson.dumps(as_json(found)).decode() + "\n")
    else:
        width = None if sys.stdout.isatty() else _PIPE_WIDTH
        print_findings(Console(highlight=False, width=width), found)
    if arguments.labels is not None:
        made = labels(pairs, judged, arguments.category, scale, time.time())
        count = write_labels(arguments.labels, made)
        err.print(plain(f"{count:,} labels written to {arguments.labels}."))


def _check_writable(path: Path) -> None:
    """Say so before minutes of work, not after them."""
    if path.is_dir() or not path.parent.is_dir():
        raise BadPairs(f"--labels {path}: is no place for a file.")


@contextmanager
def _progress(err: Console) -> Iterator[Progress]:
    """Show a bar for each step, where somebody watches."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        tasks = {}

        def progress(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total)
            bar.update(tasks[step], completed=done)

        yield progress
