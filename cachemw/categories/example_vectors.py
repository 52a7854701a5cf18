"""The vectors of the examples in a policy file, kept over reloads and, in a folder, over starts."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_log = logging.getLogger("cachemw.categories")
Vectors = NDArray[np.float32]
_BATCH = 32
_SUFFIX = ".examples"
_KEPT_FILES = 8
_CHECKSUM_BYTES = 32


class ExampleVectors:
    """Embeds texts once. Blocking, and called from one thread at a time.

    What is held is what the last call asked for, so that it is bounded by the policy file. In
    `folder` lies one file for each set of texts, the newest few; one that is damaged is made again.
    """

    def __init__(
        self,
        embed: Callable[[Sequence[str]], Vectors],
        fingerprint: str,
        folder: Path | None = None,
    ) -> None:
        """Embed with `embed`, as Embedder.embed; vectors of other fingerprints are not used."""
        self._embed = embed
        self._fingerprint = fingerprint
        self._folder = folder
        self._known: dict[str, Vectors] = {}

    def of(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of distinct `texts`, shape [len(texts), dimension]."""
        if not texts:
            self._known = {}
            return np.empty((0, 0), dtype=np.float32)
        missing = [text for text in texts if text not in self._known]
        if missing:
            self._complete(texts, missing)
        self._known = {text: self._known[text] for text in texts}
        return np.stack([self._known[text] for text in texts])

    def _complete(self, texts: Sequence[str], missing: Sequence[str]) -> None:
        file = self._file(texts)
        stored = None if file is None else _read(file, len(texts))
        if stored is not None:
            self._known = dict(zip(texts, stored, strict=True))
            return
        # Texts of one length a batch: short ones are not padded to long ones.
        ordered = sorted(missing, key=len)
        for start in range(0, len(ordered), _BATCH):
            batch = ordered[start : start + _BATCH]
            self._known.update(zip(batch, self._embed(batch), strict=True))
        if file is not None:
            _write(file, np.stack([self._known[text] for text in texts]))

    def _file(self, texts: Sequence[str]) -> Path | None:
        if self._folder is None:
            return None
        digest = sha256()
        for text in texts:
            digest.update(b"%d:" % len(text.encode()))
            digest.update(text.encode())
        return self._folder / f"{self._fingerprint}-{digest.hexdigest()[:32]}{_SUFFIX}"


def _read(file: Path, count: int) -> Vectors | None:
    """Return what `_write` has written, None where it is not there or not whole."""
    try:
        content = file.read_bytes()
    except OSError:
        return None
    checksum, body = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
    if not body or sha256(body).digest() != checksum or len(body) % (4 * count):
        _log.warning("example vectors are damaged and made again: %s", file)
        return None
    return np.frombuffer(body, dtype="<f4").reshape(count, -1).astype(np.float32)


def _write(file: Path, vectors: Vectors) -> None:
    body = vectors.astype("<f4").tobytes()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _replace(file, sha256(body).digest() + body)
    except OSError as error:
        # The next start embeds them again.
        _log.warning("example vectors are not kept: %s", error.strerror or type(error).__name__)
        return
    # Another process may be at the same.
    with suppress(OSError):
        _prune(file.parent)


def _replace(file: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _prune(folder: Path) -> None:
    files = sorted(folder.glob(f"*{_SUFFIX}"), key=lambda file: -file.stat().st_mtime)
    for old in files[_KEPT_FILES:]:
        old.unlink(missing_ok=True)
