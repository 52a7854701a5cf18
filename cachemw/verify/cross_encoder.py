"""Reads two questions at once: tokens, padded batches, a runtime's session, logits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from cachemw.embed.graph_embedder import TOKENS_PER_RUN, Session, split_by_length
from cachemw.errors import ConfigError
from cachemw.verify.files import KEY

MOST_TOKENS = 80
"""Of one question; what is over is cut, as in training."""

PAIRS_PER_RUN = 4

_STEP = 8
"""Lengths are padded to a multiple of it: a runtime makes and keeps kernels for every shape. Padded
so, real questions take a fifth less CPU time and 45 MB less memory."""

INPUTS = ("input_ids", "attention_mask", "token_type_ids")

Logits = NDArray[np.float32]
TextPair = tuple[str, str]


@dataclass(frozen=True)
class _Row:
    ids: list[int]
    second_at: int


class PairTokens:
    """Turns a pair into `[CLS] first [SEP] second [SEP]`, token types 0 and 1."""

    def __init__(self, tokenizer_file: Path) -> None:
        """Load the tokenizer in `tokenizer_file`."""
        self._tokenizer = Tokenizer.from_file(str(tokenizer_file))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._start, self._end, self._pad = (self._id(name) for name in ("CLS", "SEP", "PAD"))

    def _id(self, name: str) -> int:
        found = self._tokenizer.token_to_id(f"[{name}]")
        if found is None:
            raise ConfigError(f"{KEY}: its tokenizer has no [{name}]")
        return found

    def encode(self, pair: TextPair) -> _Row:
        """Tokenize a pair, without padding."""
        first, second = (self._cut(text) for text in pair)
        ids = [self._start, *first, self._end, *second, self._end]
        return _Row(ids, len(first) + 2)

    def _cut(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids[:MOST_TOKENS]

    def batch(self, rows: Sequence[_Row]) -> dict[str, NDArray[np.int64]]:
        """Pad `rows` on the right to the longest, rounded up, and return the graph's inputs."""
        longest = max(len(row.ids) for row in rows)
        shape = (len(rows), -(-longest // _STEP) * _STEP)
        ids = np.full(shape, self._pad, dtype=np.int64)
        mask = np.zeros(shape, dtype=np.int64)
        types = np.zeros(shape, dtype=np.int64)
        for place, row in enumerate(rows):
            length = len(row.ids)
            ids[place, :length] = row.ids
            mask[place, :length] = 1
            types[place, row.second_at : length] = 1
        return dict(zip(INPUTS, (ids, mask, types), strict=True))


class CrossEncoder:
    """Logits of pairs over a session."""

    def __init__(self, tokens: PairTokens, session: Session) -> None:
        self._tokens = tokens
        self._session = session

    def logits(self, pairs: Sequence[TextPair]) -> Logits:
        """Return logits, shape [len(pairs)], of the answer to the first being one to the second."""
        rows = [self._tokens.encode(pair) for pair in pairs]
        found = np.empty(len(rows), dtype=np.float32)
        for group in _groups([len(row.ids) for row in rows]):
            inputs = self._tokens.batch([rows[place] for place in group])
            found[group] = self._session.run(inputs)[:, 0]
        return found

    def close(self) -> None:
        """Release the session."""
        self._session.close()


def _groups(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield places in `lengths`: few pairs of similar length, within the budget of tokens."""
    for group in split_by_length(lengths, TOKENS_PER_RUN):
        for start in range(0, len(group), PAIRS_PER_RUN):
            yield group[start : start + PAIRS_PER_RUN]


def probabilities(logits: Logits) -> NDArray[np.float32]:
    """Return the logistic function of `logits`, without overflow."""
    likely: NDArray[np.float32] = np.exp(-np.logaddexp(np.float32(0), -logits))
    return likely
