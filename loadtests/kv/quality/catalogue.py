"""Codecs by name, with tables that are calibrated for a model when they are first needed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cachemw_codecs.codecs.base import Codec
from cachemw_codecs.command.calibrators import CALIBRATORS
from cachemw_codecs.errors import InvalidInput, UnsupportedFormat
from cachemw_codecs.table import open_codec
from torch import Tensor

from loadtests.kv.quality.subjects import Subject
from loadtests.kv.quality.windows import windows
from loadtests.lab.tasks.novels import Novels

TOKENS = 2048
"""Of a window, or the model's context where that is shorter."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Opens codecs for one model.

    `novels`: the file of novels, whose training part calibrates; no text of the benchmark does.
    `folder`: where calibration files are kept; a file that is there is used as it is, unless
    `anew`. `windows`: of text that calibrate.
    """

    subject: Subject
    novels: Path
    folder: Path
    windows: int = 32
    anew: bool = False

    def open(self, name: str) -> Codec:
        """Open a codec of the table; calibrate it first where it needs that.

        Raises `TablesMissing` where it has to be and nothing calibrates it.
        """
        if name not in CALIBRATORS:
            return open_codec(name, None)
        path = self.path(name)
        if path.exists() and not self.anew:
            try:
                return open_codec(name, path.read_bytes())
            except (InvalidInput, UnsupportedFormat) as error:
                # Of an older format.
                print(f"... {path.name}: {error}", file=sys.stderr, flush=True)
        print(f"... calibrating {name} for {self.subject.name}", file=sys.stderr, flush=True)
        data = CALIBRATORS[name](self.subject.model, self._texts())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return open_codec(name, data)

    def path(self, name: str) -> Path:
        """Where a codec's calibration file lies."""
        model = self.subject.fingerprint.model.hex()[:8]
        return self.folder / f"{self.subject.name}-{model}-{name}.tables"

    def sizes(self) -> dict[str, int]:
        """Bytes of the calibration files in use."""
        paths = {name: self.path(name) for name in CALIBRATORS}
        return {name: path.stat().st_size for name, path in paths.items() if path.exists()}

    def _texts(self) -> Sequence[Tensor]:
        subject = self.subject
        text = "\n\n".join(Novels(self.novels).novels("train"))
        tokens = min(TOKENS, subject.model.config.max_position_embeddings)
        return list(windows(text, subject.encode, subject.bos, tokens, self.windows))
