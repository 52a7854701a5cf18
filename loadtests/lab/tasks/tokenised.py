"""The novels once more, in the form of tokenised research corpora.

Such corpora (WikiText among them) set punctuation apart by spaces, mark joins by ` @-@ ` and
` @,@ ` and write rare words as `<unk>`. A model that has never met that form spends its bits on it
and not on the language, so measuring it there says little. Only the form is theirs: the words are
those of the training novels.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from loadtests.lab.packing import RowSource
from loadtests.lab.tasks.base import Split, Task
from loadtests.lab.tasks.novels import Novels
from loadtests.lab.tokens import LabTokenizer

#: Words that a novel has fewer times than this become `<unk>`, as in WikiText.
_RARE = 3
_WORD = re.compile(r"[^\W\d_]{4,}")
_APART = re.compile(r"[ \t]*(\.\.\.|--|[.,;:!?()\[\]\"“”])[ \t]*")
_CURLY = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "—": "-"})


def tokenised(text: str) -> str:
    """Rewrite running text in the form of a tokenised corpus, one paragraph a line."""
    text = text.translate(_CURLY)
    text = re.sub(r"(?<=\w)-(?=\w)", " @-@ ", text)
    text = re.sub(r"(?<=\d),(?=\d)", " @,@ ", text)
    text = re.sub(r"(?<=\d)\.(?=\d)", " @.@ ", text)
    text = re.sub(r"(?<=\w)'(?=(?:s|t|d|ll|re|ve|m)\b)", " '", text)
    counts = Counter(_WORD.findall(text))
    text = _WORD.sub(lambda m: m[0] if counts[m[0]] >= _RARE else "<unk>", text)
    # The dots of a joined number stand between its own spaces already.
    text = re.sub(r"(?<!@)" + _APART.pattern + r"(?!@)", r" \1 ", text)
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "".join(f" {line} \n" for line in lines if line)


@dataclass(frozen=True)
class TokenisedNovels(Task):
    """The same split of the same novels, rewritten by `tokenised`."""

    novels: Novels

    name: ClassVar[str] = "tokenised"

    def texts(self, rng: random.Random) -> Iterator[str]:
        """Take a short sample: enough for the tokenizer to join a mark to the space before it."""
        for novel in self.novels.novels("train"):
            start = rng.randrange(max(1, len(novel) - self._sample))
            yield from tokenised(novel[start : start + self._sample]).splitlines(keepends=True)

    def rows(
        self, split: Split, tokenizer: LabTokenizer, context: int, rng: random.Random
    ) -> RowSource:
        """Windows over all rewritten novels end to end, EOS between."""
        del rng
        rewritten = [tokenised(novel) for novel in self.novels.novels(split)]
        return self.novels.running(rewritten, r"(?<=\n)", tokenizer, context)

    @property
    def _sample(self) -> int:
        return self.novels.tokenizer_characters // 10
