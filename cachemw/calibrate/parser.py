"""The arguments of `cachemw calibrate`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

_ABOUT = """Reads pairs of questions and says how many true duplicates are served when at most
1, 3 and 5 % of what is served is wrong: by cosine similarity alone, and by the whole decision
(least cosine, guards, verifier). Nothing is sent anywhere and no server is needed.

A line of PAIRS is a JSON object; the file may be compressed with gzip:
  {"a": "How do I enable 2FA?", "b": "Turn on two-factor login", "same": 1}
`a` is the stored question, `b` the asked one, `same` says whether one answer serves both
(0, 1, true or false). Other fields are ignored."""

_NOTES = """JSON (--json), one object:
  pairs, duplicates     counts of pairs
  base_rate             the share of duplicates
  embedder, scale       the models; scores of different scales are never mixed
  floor                 the cosine below which nothing is looked at
  never_served          counts: too_long, below_floor, objected {guard: count}, unscored
  plain_cosine          for each of "1%", "3%", "5%":
  full_decision           threshold                    null: none is within the limit
                          duplicates_served            share of the duplicates, in [0, 1]
                          duplicates_served_interval   95 %, Clopper and Pearson
                          wrong                        share of what is served
                          wrong_interval               likewise
                          served, errors               counts

labels (--labels OUT), a JSON object a line for each pair that has a score:
  category, score, right, source ("offline"), scale, at (seconds since the epoch), weight (1)

examples:
  cachemw calibrate pairs.jsonl.gz
  cachemw calibrate pairs.jsonl --config cachemw.yaml --json
  cachemw calibrate support.jsonl --labels labels.jsonl --category support
  cachemw labels import labels.jsonl              have a running server learn from them

exit codes:
  0  done      2  a file or the configuration cannot be used      130  interrupted
"""


def add_calibrate_parser(commands: Any) -> argparse.ArgumentParser:
    """Add `calibrate` to a command line's subcommands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "calibrate",
        help="say what thresholds are worth on pairs of questions",
        description=_ABOUT,
        epilog=_NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("pairs", type=Path, metavar="PAIRS", help="JSON lines, plain or gzip")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--labels", type=Path, metavar="OUT", help="write the judged pairs here")
    parser.add_argument(
        "--category", type=_name, default="default", help="of the labels (default: default)"
    )
    parser.add_argument("--limit", type=_count, metavar="N", help="the first N pairs only")
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML file (default: none)")
    return parser


def _name(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"'{text}' is no number of pairs")
    return int(text)
