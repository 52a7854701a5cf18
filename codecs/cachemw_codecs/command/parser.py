"""The arguments."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_ABOUT = "Compresses the KV cache of any Hugging Face causal language model."

_EXIT = """exit codes:
  0  done      1  refused, the message says why      2  wrong arguments      130  interrupted
"""

_MEASURE = """Reads a text with the model, compresses the KV cache of its first tokens with each
codec and level, and lets the model go on from what was decoded over the tokens that follow.

Without --text it reads the Python language reference out of the standard library: it is the one
long English text that every machine with Python has. Models have seen it in training, so the
perplexity says little about the model. Take a text of your own kind for figures that matter."""

_MEASURE_NOTES = """columns:
  bytes                 of the whole container file, with headers and checksums; calibration files,
                        made once a model, are not in it
  ratio                 against the cache in the model's dtype
  encode ms, decode ms  all layers, to and from the file in memory, one after the other on the CPU:
                        the best of three
  GB/s                  of uncompressed cache, encoding and decoding
  KL                    nats a token, from the model that read the text itself to the one that
                        goes on from the decoded cache; with `raw` it shows the rounding floor
  perplexity            change over the continuation; of one text and a few hundred tokens it is
                        noisy, and can fall by chance: KL says more

examples:
  python -m cachemw_codecs measure --model Qwen/Qwen3-0.6B
  python -m cachemw_codecs measure --model ./my-model --text notes.txt --codec lossless --json
  python -m cachemw_codecs measure --model ./my-model --codec transform --tables tables.safetensors

"""

_CALIBRATE = """Reads a text with the model and writes what a codec needs to know about the model.
A file fits one model. Text of the kind that will be compressed is best; some ten thousand tokens
are enough, and none of them can be read back from the file."""

_CALIBRATE_NOTES = """example:
  python -m cachemw_codecs calibrate --model M --text notes.txt --codec transform \\
      --out tables.safetensors

"""


def make_parser(calibrated: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser; `calibrated`: names of codecs that `calibrate` is for."""
    parser = argparse.ArgumentParser(prog="python -m cachemw_codecs", description=_ABOUT)
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
    _add_measure(commands)
    _add_calibrate(commands, calibrated)
    return parser


def _add_measure(commands: Any) -> None:
    measure = _added(
        commands,
        "measure",
        "size, time and quality of the codecs on a model",
        _MEASURE,
        _MEASURE_NOTES,
    )
    measure.add_argument("--text", type=Path, metavar="FILE", help="UTF-8 text (default: above)")
    measure.add_argument("--codec", metavar="NAME", help="one codec (default: all that can run)")
    measure.add_argument("--level", metavar="L", help="one level (default: all)")
    measure.add_argument(
        "--tokens", type=_count, default=1024, metavar="N", help="tokens compressed (1024)"
    )
    measure.add_argument(
        "--continuation", type=_count, default=256, metavar="N", help="tokens judged after (256)"
    )
    measure.add_argument(
        "--tables",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a calibration file; give it again for another codec's",
    )
    measure.add_argument("--json", action="store_true", help="print JSON, with all digits")


def _add_calibrate(commands: Any, calibrated: Sequence[str]) -> None:
    calibrate = _added(
        commands, "calibrate", "make a codec's calibration file", _CALIBRATE, _CALIBRATE_NOTES
    )
    calibrate.add_argument("--text", type=Path, required=True, metavar="FILE", help="UTF-8 text")
    calibrate.add_argument("--codec", required=True, choices=calibrated, help="for this codec")
    calibrate.add_argument("--out", type=Path, required=True, metavar="FILE", help="what to write")
    calibrate.add_argument(
        "--tokens", type=_count, default=16384, metavar="N", help="read at most so many (16384)"
    )


def _added(commands: Any, name: str, short: str, about: str, notes: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=short,
        description=about,
        epilog=notes + _EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model", required=True, metavar="M", help="its name on the Hugging Face hub, or a folder"
    )
    parser.add_argument(
        "--dtype",
        choices=("auto", "bfloat16", "float16", "float32"),
        default="auto",
        help="what to load the model in (auto: as it was saved; calibration on a CPU: float32)",
    )
    parser.add_argument("--device", default="cpu", help="where the model runs (cpu)")
    return parser


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{count} is not a count from 1")
    return count
