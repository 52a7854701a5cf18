"""A folder whose content is replaced all at once, and read only when every byte is as written.

    folder/CURRENT             name of the folder in force, digest of its manifest
    folder/lock                held by whoever writes
    folder/snapshot-<random>/  files, and manifest.json with each one's digest and a header

A new folder is written beside the old one; renaming CURRENT puts it in force. So a process that
dies at any instruction leaves the one or the other, and at most a folder that the next writer
removes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

_CURRENT = "CURRENT"
_MANIFEST = "manifest.json"
_PREFIX = "snapshot-"


class Damaged(Exception):
    """What is there is not what was written, or was never finished."""


def publish(folder: Path, header: Mapping[str, object], write: Callable[[Path], None]) -> None:
    """Let `write` fill a new folder, and put it in force.

    Raises OSError where that is not possible, BlockingIOError while another process is at it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        _remove_others(folder, _named(folder))
        new = folder / f"{_PREFIX}{secrets.token_hex(8)}"
        new.mkdir()
        try:
            write(new)
            digest = _seal(new, header)
            _put_in_force(folder, new.name, digest)
        finally:
            _remove_others(folder, _named(folder))


def verified(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """Return the folder in force and its header; None where there is none.

    Raises Damaged when a byte differs, OSError when something cannot be read.
    """
    try:
        name, digest = (folder / _CURRENT).read_text("ascii").split()
    except FileNotFoundError:
        return None
    except ValueError:
        raise Damaged(_CURRENT) from None
    if not name.startswith(_PREFIX) or "/" in name:
        raise Damaged(_CURRENT)
    text = (folder / name / _MANIFEST).read_bytes()
    if hashlib.blake2b(text).hexdigest() != digest:
        raise Damaged(_MANIFEST)
    manifest = orjson.loads(text)
    for file, expected in manifest["files"].items():
        if _digest(folder / name / file) != expected:
            raise Damaged(file)
    return folder / name, manifest["header"]


def in_force(folder: Path) -> str | None:
    """Return what tells one state of the folder from another."""
    try:
        return (folder / _CURRENT).read_text("ascii", errors="replace")
    except OSError:
        return None


def _seal(new: Path, header: Mapping[str, object]) -> str:
    """Bring all files to the disk, and the manifest after them; return its digest."""
    files = {}
    for path in sorted(new.iterdir()):
        _sync(path)
        files[path.name] = _digest(path)
    text = orjson.dumps({"header": header, "files": files})
    (new / _MANIFEST).write_bytes(text)
    _sync(new / _MANIFEST)
    _sync(new)
    return hashlib.blake2b(text).hexdigest()


def _put_in_force(folder: Path, name: str, digest: str) -> None:
    beside = folder / f"{_CURRENT}.new"
    beside.write_text(f"{name} {digest}\n", "ascii")
    _sync(beside)
    beside.replace(folder / _CURRENT)
    _sync(folder)


def _named(folder: Path) -> str | None:
    words = (in_force(folder) or "").split()
    return words[0] if words else None


def _remove_others(folder: Path, keep: str | None) -> None:
    for path in folder.glob(f"{_PREFIX}*"):
        if path.name != keep:
            shutil.rmtree(path, ignore_errors=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
