"""sentence-transformers on torch: the reference, and the fallback that serves every model.

Importing this module is cheap; loading a model imports torch, which takes 5 to 9 seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cachemw.embed.base import RuntimeUnusable
from cachemw.embed.graph_embedder import TOKENS_PER_RUN
from cachemw.embed.model_files import ModelFiles

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

NAME = "torch"


def load_reference(files: ModelFiles, device: str = "cpu") -> SentenceTransformer:
    """Load the model with sentence-transformers, in float32.

    Raises:
        RuntimeUnusable: sentence-transformers is missing or cannot load the model.
    """
    try:
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    except ImportError as error:
        raise RuntimeUnusable(f"sentence-transformers cannot be imported: {error}") from error
    try:
        return SentenceTransformer(str(files.directory), device=device).float().eval()
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise RuntimeUnusable(f"sentence-transformers cannot load it: {error}") from error


class TorchEmbedder:
    """An `Embedder` over a `SentenceTransformer`."""

    runtime = NAME

    def __init__(self, files: ModelFiles, model: SentenceTransformer) -> None:
        """Wrap `model`, whose files are `files`."""
        self.name = files.name
        self.fingerprint = files.fingerprint
        self._model = model
        dimension = model.encode("", show_progress_bar=False).shape[-1]
        self.dimension = int(dimension)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the L2-normalised vectors of `texts`, shape [len(texts), dimension]."""
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        # encode() sorts by length itself; the batch size bounds the activations at full length.
        limit = self._model.max_seq_length or 512
        vectors: NDArray[np.float32] = self._model.encode(
            list(texts),
            batch_size=max(1, TOKENS_PER_RUN // limit),
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return vectors

    def cuts(self, text: str) -> bool:
        """Whether `text` is over the length limit."""
        limit = self._model.max_seq_length
        tokens = self._model.tokenizer(text, truncation=False, verbose=False)["input_ids"]
        return limit is not None and len(tokens) > limit

    def close(self) -> None:
        """Drop the model."""
        del self._model


def load_torch(files: ModelFiles, *, device: str, threads: int) -> TorchEmbedder:
    """Load `files` on `device`; `threads` is torch's, which it keeps for the whole process."""
    model = load_reference(files, device)
    import torch  # noqa: PLC0415

    torch.set_num_threads(threads)
    return TorchEmbedder(files, model)
