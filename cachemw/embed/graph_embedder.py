"""Serves a prepared graph: tokens, padded batches, a runtime's session, vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from cachemw.embed.manifest import TOKENIZER_FILE, Manifest

TOKENS_PER_RUN = 1024
"""Padded tokens given to a session at once.

Activations grow with it (32 texts of 256 tokens hold 130 MB more than one does), while the time
per token no longer falls beyond a few hundred tokens.
"""


class Session(Protocol):
    """A runtime holding a graph. Its one output is [batch, dimension] float32."""

    def run(self, inputs: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        """Run the graph on `inputs`, each [batch, tokens]; the result is the caller's own."""
        ...

    def close(self) -> None:
        """Release the graph."""
        ...


@dataclass(frozen=True)
class Tokens:
    """Turns texts into the graph's inputs, as the reference's tokenizer does."""

    tokenizer: Tokenizer
    inputs: tuple[str, ...]
    prompt: str
    pad_id: int

    @classmethod
    def load(cls, directory: Path, manifest: Manifest) -> Tokens:
        """Load the tokenizer of a prepared directory, cutting at the model's length limit."""
        tokenizer = Tokenizer.from_file(str(directory / TOKENIZER_FILE))
        tokenizer.enable_truncation(manifest.max_seq_length)
        tokenizer.no_padding()
        return cls(tokenizer, manifest.inputs, manifest.prompt, manifest.pad_id)

    def encode(self, texts: Sequence[str]) -> list[Encoding]:
        """Tokenize `texts`, without padding."""
        # One by one: encode_batch starts a pool of threads that would compete with inference, and
        # a text takes 0.02 ms.
        return [self.tokenizer.encode(self.prompt + text) for text in texts]

    def batch(self, encodings: Sequence[Encoding]) -> dict[str, NDArray[np.int64]]:
        """Pad `encodings` on the right to the longest and return the graph's inputs."""
        shape = (len(encodings), max(len(encoding) for encoding in encodings))
        arrays = {
            "input_ids": np.full(shape, self.pad_id, dtype=np.int64),
            "attention_mask": np.zeros(shape, dtype=np.int64),
            "token_type_ids": np.zeros(shape, dtype=np.int64),
        }
        for row, encoding in enumerate(encodings):
            length = len(encoding)
            arrays["input_ids"][row, :length] = encoding.ids
            arrays["attention_mask"][row, :length] = 1
            arrays["token_type_ids"][row, :length] = encoding.type_ids
        return {name: arrays[name] for name in self.inputs}


def split_by_length(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Yield the indices of `lengths` in groups, shortest first, of at most `budget` padded tokens.

    A group's cost is its size times its longest member; a single member may exceed the budget.
    """
    group: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if group and (len(group) + 1) * lengths[index] > budget:
            yield group
            group = []
        group.append(index)
    if group:
        yield group


class GraphEmbedder:
    """An `Embedder` over a session. A batch of one is never padded."""

    def __init__(
        self,
        *,
        name: str,
        fingerprint: str,
        runtime: str,
        dimension: int,
        tokens: Tokens,
        session: Session,
    ) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.runtime = runtime
        self.dimension = dimension
        self._tokens = tokens
        self._session = session

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the L2-normalised vectors of `texts`, shape [len(texts), dimension]."""
        encodings = self._tokens.encode(texts)
        if len(encodings) == 1:
            return self._session.run(self._tokens.batch(encodings))
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for group in split_by_length([len(encoding) for encoding in encodings], TOKENS_PER_RUN):
            inputs = self._tokens.batch([encodings[index] for index in group])
            vectors[group] = self._session.run(inputs)
        return vectors

    def cuts(self, text: str) -> bool:
        """Whether `text` is over the length limit."""
        return bool(self._tokens.encode([text])[0].overflowing)

    def close(self) -> None:
        """Release the session."""
        self._session.close()
