"""Any CrossEncoder of sentence-transformers, by name or directory, on torch.

Importing this module is cheap; loading a model imports torch, which takes 5 to 9 seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import orjson
from numpy.typing import NDArray

from cachemw.embed.model_files import ModelFiles, find_model
from cachemw.errors import ConfigError
from cachemw.verify.base import QuestionPair, Scores, Verifier
from cachemw.verify.cross_encoder import PAIRS_PER_RUN, probabilities
from cachemw.verify.files import KEY

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder


class NamedVerifier(Verifier):
    """A CrossEncoder of one label, whose logit says how alike, or of two: unlike and alike."""

    def __init__(self, files: ModelFiles, model: CrossEncoder) -> None:
        """Wrap `model`, whose files are `files`.

        Raises:
            ConfigError: it has more than two labels.
        """
        labels = model.num_labels
        if labels not in {1, 2}:
            raise ConfigError(f"{KEY}: {files.name} has {labels} labels; one or two are understood")
        self.fingerprint = files.fingerprint
        self._model = model

    def score(self, pairs: Sequence[QuestionPair]) -> Scores:
        """Return probabilities in [0, 1], shape [len(pairs)]; of two labels, the second's."""
        import torch  # noqa: PLC0415

        if not pairs:
            return np.empty(0, dtype=np.float32)
        logits: NDArray[np.float32] = self._model.predict(
            [(pair.stored, pair.asked) for pair in pairs],
            batch_size=PAIRS_PER_RUN,
            show_progress_bar=False,
            # Some models name another function, or none, as ranking needs none.
            activation_fn=torch.nn.Identity(),
        )
        if logits.ndim == 2:  # the softmax of two is the logistic function of their difference
            logits = logits[:, -1] - (logits[:, 0] if logits.shape[1] == 2 else 0)
        return probabilities(logits.astype(np.float32, copy=False))

    def close(self) -> None:
        """Drop the model."""
        del self._model


def load_named(model: str, *, threads: int) -> NamedVerifier:
    """Load the CrossEncoder in the directory or of the hub name `model`, on the CPU in float32.

    `threads` is torch's, which it keeps for the whole process.

    Raises:
        ConfigError: there is no such model, or it is no CrossEncoder of one or two labels.
    """
    files = find_model(model, key=KEY)
    _expect_head(files)
    try:
        import torch  # noqa: PLC0415
        from sentence_transformers import CrossEncoder  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(f"{KEY}: sentence-transformers cannot be imported: {error}") from error
    try:
        loaded = CrossEncoder(str(files.directory), device="cpu").float().eval()
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ConfigError(f"{KEY}: {files.name} cannot be loaded: {error}") from error
    torch.set_num_threads(threads)
    return NamedVerifier(files, loaded)


def _expect_head(files: ModelFiles) -> None:
    """Refuse an encoder without a trained head: it would be given a random one."""
    path: Path = files.directory / "config.json"
    try:
        kinds = orjson.loads(path.read_bytes()).get("architectures") or []
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"{KEY}: {files.name}: {path.name} cannot be read: {error}") from error
    if not any(str(kind).endswith("ForSequenceClassification") for kind in kinds):
        raise ConfigError(f"{KEY}: {files.name} is no CrossEncoder, but {', '.join(kinds) or '?'}")
