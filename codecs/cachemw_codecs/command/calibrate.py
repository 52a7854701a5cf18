"""Makes a calibration file."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from cachemw_codecs.command.calibrators import Calibrator
from cachemw_codecs.command.inputs import Subject
from cachemw_codecs.errors import InvalidInput

WINDOW = 2048
"""Tokens that are read together, or the model's context where that is shorter."""


def require_folder(out: Path) -> None:
    """Raise `InvalidInput` where `out` cannot be written: before the work is done, not after."""
    try:
        wrong = out.is_dir() or not out.parent.is_dir()
    except OSError as error:
        raise InvalidInput(f"{out}: {error.strerror}") from error
    if wrong:
        raise InvalidInput(f"{out}: is a folder, or lies in none")


def calibrate(subject: Subject, ids: Tensor, calibrator: Calibrator, out: Path) -> int:
    """Calibrate on `ids`, int64 [tokens], and write the file; returns its bytes."""
    window = min(WINDOW, subject.context or WINDOW)
    data = calibrator(subject.model, windows(ids, window))
    try:
        out.write_bytes(data)
    except OSError as error:
        raise InvalidInput(f"{out}: {error.strerror}") from error
    return len(data)


def windows(ids: Tensor, size: int) -> list[Tensor]:
    """Cut `ids` into parts of `size`; each begins with the text's first id, BOS as a rule.

    Models treat their first token in a way of its own (attention sinks): a window that begins in
    the middle of a text would show the codec keys that no cache has.
    """
    if ids.numel() <= size:
        return [ids]
    first, rest = ids[:1], ids[1:]
    parts = [rest[start : start + size - 1] for start in range(0, rest.numel(), size - 1)]
    # A short end would count its first tokens too much.
    return [torch.cat((first, part)) for part in parts if part.numel() * 2 >= size]
