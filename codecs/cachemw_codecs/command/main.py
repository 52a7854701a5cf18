"""Runs a command."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence

from cachemw_codecs.command.calibrators import CALIBRATORS, Calibrator
from cachemw_codecs.command.parser import make_parser
from cachemw_codecs.errors import CodecError

EXIT_REFUSED = 1
EXIT_INTERRUPTED = 130


def main(
    argv: Sequence[str] | None = None, calibrators: Mapping[str, Calibrator] = CALIBRATORS
) -> int:
    """Run a command; returns its exit code (see `--help`)."""
    arguments = make_parser(tuple(calibrators)).parse_args(argv)
    try:
        if arguments.command == "measure":
            _measure(arguments)
        else:
            _calibrate(arguments, calibrators)
    except CodecError as error:
        sys.stderr.write(f"cachemw_codecs: {error}\n")
        return EXIT_REFUSED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0


def _measure(arguments: argparse.Namespace) -> None:
    # Imported here and below: `--help` needs none of torch.
    from cachemw_codecs.command import inputs, show  # noqa: PLC0415
    from cachemw_codecs.command.measure import Choice, Task, measure  # noqa: PLC0415
    from cachemw_codecs.table import NAMES, open_codec  # noqa: PLC0415

    # What can be refused is so before the model is loaded, which may take minutes.
    tables = tuple(map(inputs.read_file, arguments.tables))
    choice = Choice(NAMES, open_codec, arguments.codec, arguments.level, tables)
    choice.require_known()
    text = inputs.read_text(arguments.text)
    subject = inputs.load_subject(arguments.model, arguments.dtype, arguments.device)
    ids = inputs.one_window(subject, text, arguments.tokens + arguments.continuation + 1)
    task = Task(subject.model, subject.tokenizer, ids, arguments.tokens)
    result = measure(task, choice, time.perf_counter)
    sys.stdout.write((show.as_json if arguments.json else show.as_table)(arguments.model, result))


def _calibrate(arguments: argparse.Namespace, calibrators: Mapping[str, Calibrator]) -> None:
    from cachemw_codecs.command import inputs  # noqa: PLC0415
    from cachemw_codecs.command.calibrate import calibrate, require_folder  # noqa: PLC0415

    require_folder(arguments.out)
    text = inputs.read_text(arguments.text)
    # Gradients in bfloat16 take many times as long on a CPU, and are no better for it.
    dtype = "float32" if (arguments.dtype, arguments.device) == ("auto", "cpu") else arguments.dtype
    subject = inputs.load_subject(arguments.model, dtype, arguments.device)
    ids = inputs.encoded(subject, text)[: arguments.tokens]
    size = calibrate(subject, ids, calibrators[arguments.codec], arguments.out)
    sys.stdout.write(f"{arguments.out}: {size} bytes\n")
