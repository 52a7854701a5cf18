"""Codecs by name, with the tables that were calibrated for a model."""

from __future__ import annotations

from pathlib import Path

from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.errors import TablesMissing
from cachemw_codecs.table import open_codec

from loadtests.kv.quality.trials import CALIBRATED


def open_named(name: str, subject: str, folder: Path) -> Codec:
    """Open a codec of the table for a model.

    Raises `TablesMissing` where it needs a calibration file that is not in `folder`.
    """
    if name not in CALIBRATED:
        return open_codec(name, None)
    path = folder / f"{subject}-{name}.safetensors"
    if not path.exists():
        raise TablesMissing(f"not calibrated, {path.name} is not there")
    return open_codec(name, path.read_bytes())
