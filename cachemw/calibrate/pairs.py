"""Pairs of questions in a file, one JSON object a line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import orjson

from cachemw.errors import CachemwError

_GZIP = b"\x1f\x8b"


class BadPairs(CachemwError):
    """The file cannot be used; the message names line and field, and repeats no question."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A stored question, an asked one, and whether one answer serves both."""

    a: str
    b: str
    same: bool


def read_pairs(path: Path, limit: int | None = None) -> list[Pair]:
    """Read the first `limit` pairs, or all; gzip is recognised by its first bytes.

    Raises:
        BadPairs: the file cannot be read, holds no pair, or has a line that is none.
    """
    try:
        with _opened(path) as lines:
            numbered = ((n, line) for n, line in enumerate(lines, 1) if line.strip())
            pairs = [_pair(path, n, line) for n, line in islice(numbered, limit)]
    except (OSError, EOFError, zlib.error) as error:
        raise BadPairs(f"{path}: {error}.") from None
    if not pairs:
        raise BadPairs(f"{path}: there is no pair in it.")
    return pairs


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    with path.open("rb") as plain:
        packed = plain.read(len(_GZIP)) == _GZIP
        plain.seek(0)
        if not packed:
            yield plain
            return
        with gzip.open(plain) as unpacked:
            yield unpacked


def _pair(path: Path, number: int, line: bytes) -> Pair:
    where = f"{path}, line {number}"
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise BadPairs(f"{where}: not valid JSON.") from None
    if not isinstance(row, dict):
        raise BadPairs(f'{where}: not an object such as {{"a": "...", "b": "...", "same": 1}}.')
    same = _field(row, "same", where)
    if not isinstance(same, bool | int) or same not in (0, 1):
        raise BadPairs(f"{where}, field 'same': must be 0, 1, true or false.")
    return Pair(_text(row, "a", where), _text(row, "b", where), bool(same))


def _text(row: dict[str, Any], name: str, where: str) -> str:
    text = _field(row, name, where)
    if not isinstance(text, str) or not text.strip():
        raise BadPairs(f"{where}, field '{name}': must be a text that is not empty.")
    return text


def _field(row: dict[str, Any], name: str, where: str) -> Any:
    if name not in row:
        raise BadPairs(f"{where}, field '{name}': is missing.")
    return row[name]
