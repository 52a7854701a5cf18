"""The private directory through which the workers share their figures."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "cachemw-figures-"
_LOCK = "lock"
# In memory where that can be: a full disk would end a process that writes to a mapped file.
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it


def place_for_figures() -> Path:
    """Return where such directories are made."""
    usable = _IN_MEMORY.is_dir() and os.access(_IN_MEMORY, os.W_OK)
    return _IN_MEMORY if usable else Path(tempfile.gettempdir())


@contextmanager
def private_directory(parent: Path) -> Iterator[Path]:
    """Make a directory (0700) that goes with the block.

    It is locked meanwhile. One that is not was left behind by a supervisor that was killed with all
    its workers, and is removed here.
    """
    _remove_left_behind(parent)
    made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    try:
        with (made / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _remove_left_behind(parent: Path) -> None:
    for directory in parent.glob(_PREFIX + "*"):
        try:
            with (directory / _LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
        except OSError:  # in use, just being made, or another user's
            continue
