"""Novels: running English text, for fluency and for measuring compression."""

from __future__ import annotations

import lzma
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from loadtests.lab.packing import RowSource, RunningText
from loadtests.lab.tasks.base import Split, Task

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from loadtests.lab.tokens import LabTokenizer

#: Lines of this many characters were broken by a typesetter; shorter ones by the author.
_WRAPPED = range(45, 91)
#: A line ending a sentence before this column ends its paragraph too.
_FULL_LINE = 66


def unwrap(text: str) -> str:
    """Undo hard line breaks: paragraphs on one line each, blank lines between."""
    paragraphs: list[str] = []
    open_paragraph = False
    for raw in text.replace("\r", "").replace("\ufeff", "").split("\n"):
        line = raw.strip()
        if open_paragraph and line:
            paragraphs[-1] += " " + line
        elif line:
            paragraphs.append(line)
        ends_sentence = line.endswith((".", "!", "?", '"', "'")) and len(raw) < _FULL_LINE
        open_paragraph = len(raw) in _WRAPPED and not ends_sentence
    return re.sub(r"[ \t]+", " ", "\n\n".join(paragraphs))


@dataclass(frozen=True)
class Novels(Task):
    """Sixty novels in one xz file with NUL between them; every `held_out_every`-th is held out."""

    path: Path
    held_out_every: int = 20
    tokenizer_characters: int = 250_000
    """How much of each novel the tokenizer is learned from."""

    name: ClassVar[str] = "novels"

    def novels(self, split: Split) -> list[str]:
        """Unwrapped novels of `split`, in file order."""
        with lzma.open(self.path, "rt", encoding="utf-8", newline="") as file:
            texts = [text for text in file.read().split("\0") if text.strip()]
        return [
            unwrap(text)
            for number, text in enumerate(texts, start=1)
            if (number % self.held_out_every == 0) == (split == "held_out")
        ]

    def texts(self, rng: random.Random) -> Iterator[str]:
        """Take a piece of each training novel, away from its title page."""
        for novel in self.novels("train"):
            start = rng.randrange(max(1, len(novel) - self.tokenizer_characters))
            yield from novel[start : start + self.tokenizer_characters].split("\n\n")

    def rows(
        self, split: Split, tokenizer: LabTokenizer, context: int, rng: random.Random
    ) -> RowSource:
        """Windows over all novels of the split end to end, EOS between."""
        del rng
        return self.running(self.novels(split), r"(?<=\n\n)", tokenizer, context)

    @staticmethod
    def running(
        novels: list[str], between: str, tokenizer: LabTokenizer, context: int
    ) -> RowSource:
        """Windows over `novels`, encoded in parallel in the pieces that `between` cuts."""
        parts: list[NDArray[np.uint16]] = []
        for novel in novels:
            parts.append(tokenizer.encode_text(re.split(between, novel)))
            parts.append(np.array([tokenizer.eos_id], dtype=np.uint16))
        return RunningText(np.concatenate(parts), context, tokenizer.bos_id)
