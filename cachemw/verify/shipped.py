"""The shipped verifier: a cross-encoder reads both questions, trees weigh what it says."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from cachemw_policies.likeness import FEATURES, features
from cachemw_policies.trees import Trees
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from cachemw.errors import ConfigError
from cachemw.verify.base import QuestionPair, Scores, Verifier
from cachemw.verify.cross_encoder import CrossEncoder
from cachemw.verify.files import KEY, VerifierFiles

FULL = "full"
ALONE = "alone"

_VERSION = 1
"""Raised whenever `likeness.features` or what is cut from a question changes."""

COLUMNS: dict[str, list[int]] = {
    FULL: list(range(len(FEATURES))),
    ALONE: [place for place, name in enumerate(FEATURES) if name != "cosine"],
}
"""Which features the trees of a variant look at."""


def variant(files: VerifierFiles, embedder_fingerprint: str) -> str:
    """Return which trees serve: `full` look at the cosine, and know that of one embedder only."""
    return FULL if embedder_fingerprint == files.base.fingerprint else ALONE


class ShippedVerifier(Verifier):
    """A cross-encoder's logit and lexical features, weighed by boosted trees (own design)."""

    def __init__(self, files: VerifierFiles, encoder: CrossEncoder, variant: str) -> None:
        """Serve the trees of `variant`; owns `encoder`.

        Raises:
            ConfigError: the trees cannot be used.
        """
        # The base model is the embedder that `full` is made for: its fingerprint is in the digest.
        known = f"{files.digest(files.encoder, files.trees)}\0{variant}\0{_VERSION}"
        self.fingerprint = hashlib.sha256(known.encode()).hexdigest()[:16]
        self._encoder = encoder
        self._trees = _load_trees(files, variant)
        self._columns = COLUMNS[variant]

    def score(self, pairs: Sequence[QuestionPair]) -> Scores:
        """Return probabilities in [0, 1], shape [len(pairs)]."""
        if not pairs:
            return np.empty(0, dtype=np.float32)
        logits = self._encoder.logits([(pair.stored, pair.asked) for pair in pairs])
        each = zip(pairs, logits.tolist(), strict=True)
        rows = np.array([features(p.stored, p.asked, logit, p.similarity) for p, logit in each])
        return self._trees.probability(rows[:, self._columns])

    def close(self) -> None:
        """Release the encoder."""
        self._encoder.close()


def _load_trees(files: VerifierFiles, variant: str) -> Trees:
    prefix = f"{variant}."
    try:
        arrays: dict[str, NDArray[Any]] = {
            name.removeprefix(prefix): array
            for name, array in load_file(files.trees).items()
            if name.startswith(prefix)
        }
        trees = Trees.from_arrays(arrays)
    except (OSError, ValueError, SafetensorError) as error:
        raise ConfigError(f"{KEY}: {files.trees} cannot be used: {error}") from error
    if trees.features != len(COLUMNS[variant]):
        raise ConfigError(f"{KEY}: {files.trees} is of another version: {trees.features} features")
    return trees
