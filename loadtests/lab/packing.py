"""Rows: fixed-length pieces of token streams, as training reads them.

A row holds `context` tokens and says for each which document it belongs to (attention never
crosses documents) and how much its prediction counts. Arrays are (context,) in a row and
(rows, context) in a batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

#: Document number of padding, which no token of a real document may attend to.
PADDING_DOCUMENT = -1


@dataclass(frozen=True)
class Rows:
    """A row, or a batch of rows stacked along the first axis."""

    tokens: NDArray[np.int64]
    weights: NDArray[np.float32]
    """Weight of the loss of predicting *this* token from those before it."""
    documents: NDArray[np.int32]


def stack(rows: Sequence[Rows]) -> Rows:
    """Batch of shape (len(rows), context)."""
    return Rows(
        np.stack([row.tokens for row in rows]),
        np.stack([row.weights for row in rows]),
        np.stack([row.documents for row in rows]),
    )


class RowSource(ABC):
    """Something that can be read through, in a new order, once per epoch."""

    @abstractmethod
    def epoch(self, rng: np.random.Generator) -> Iterator[Rows]:
        """All rows once, in an order that `rng` decides."""

    def forever(self, rng: np.random.Generator) -> Iterator[Rows]:
        """Epoch after epoch."""
        while True:
            yield from self.epoch(rng)


@dataclass(frozen=True)
class Documents:
    """Many token sequences laid end to end; document i is `[starts[i], starts[i + 1])`."""

    tokens: NDArray[np.uint16]
    weights: NDArray[np.float32]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        """Count the documents."""
        return len(self.starts) - 1


@dataclass(frozen=True)
class PackedDocuments(RowSource):
    """Whole documents side by side; a row that the next one does not fit in is padded."""

    documents: Documents
    context: int
    pad_id: int

    def epoch(self, rng: np.random.Generator) -> Iterator[Rows]:
        """Rows over a fresh permutation of the documents."""
        row = self._empty()
        filled = number = 0
        for index in rng.permutation(len(self.documents)):
            start, end = self.documents.starts[index], self.documents.starts[index + 1]
            length = min(int(end - start), self.context)
            if filled + length > self.context:
                yield row
                row, filled, number = self._empty(), 0, 0
            here, there = slice(filled, filled + length), slice(start, start + length)
            row.tokens[here] = self.documents.tokens[there]
            row.weights[here] = self.documents.weights[there]
            row.documents[here] = number
            filled, number = filled + length, number + 1
        if filled:
            yield row

    def _empty(self) -> Rows:
        return Rows(
            np.full(self.context, self.pad_id, dtype=np.int64),
            np.zeros(self.context, dtype=np.float32),
            np.full(self.context, PADDING_DOCUMENT, dtype=np.int32),
        )


@dataclass(frozen=True)
class RunningText(RowSource):
    """One long text cut into windows, each opened by BOS; the cuts move from epoch to epoch."""

    tokens: NDArray[np.uint16]
    context: int
    bos_id: int

    def epoch(self, rng: np.random.Generator) -> Iterator[Rows]:
        """Non-overlapping windows in random order, from a random phase."""
        step = self.context - 1
        phase = int(rng.integers(step))
        for start in phase + step * rng.permutation((len(self.tokens) - phase) // step):
            window = self.tokens[start : start + step].astype(np.int64)
            weights = np.ones(self.context, dtype=np.float32)
            weights[0] = 0.0
            yield Rows(
                np.concatenate(([self.bos_id], window)),
                weights,
                np.zeros(self.context, dtype=np.int32),
            )
