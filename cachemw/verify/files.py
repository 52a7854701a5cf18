"""The files of the shipped verifier. Imports no machine learning library."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from cachemw.embed.model_files import PACKAGED_ALIAS, ModelFiles, find_model
from cachemw.errors import ConfigError

KEY = "semantic.verifier"
NAME = "cachemw-verifier"
ENCODER_FILE = "encoder.safetensors"
TREES_FILE = "trees.safetensors"


@dataclass(frozen=True)
class VerifierFiles:
    """A fine-tuned encoder, the trees over its logit, and the model it was fine-tuned from.

    `base` also holds the tokenizer and the embeddings of words and positions, which the encoder
    shares with it.
    """

    directory: Path
    base: ModelFiles

    @property
    def encoder(self) -> Path:
        """Weights, as `torch_model.encoder_state` reads them."""
        return self.directory / ENCODER_FILE

    @property
    def trees(self) -> Path:
        """Arrays of both variants of the trees."""
        return self.directory / TREES_FILE

    @property
    def tokenizer(self) -> Path:
        """The base's tokenizer."""
        return self.base.directory / "tokenizer.json"

    def model_files(self) -> ModelFiles:
        """Return what the encoder's prepared graph is named after; the trees are not in it."""
        digest = self.digest(self.encoder)
        return ModelFiles(NAME, self.directory, digest)

    def digest(self, *paths: Path) -> str:
        """Return 16 hex digits over the base model and the contents of `paths`."""
        digest = hashlib.sha256(self.base.fingerprint.encode())
        for path in paths:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()[:16]


def shipped_directory() -> Path:
    """Return where the package keeps its verifier."""
    return Path(str(files("cachemw") / "assets" / "verifier"))


def find_verifier(directory: Path | None = None) -> VerifierFiles:
    """Return the verifier in `directory`, by default the package's.

    Raises:
        ConfigError: a file is missing, or the model it builds on is not installed.
    """
    found = VerifierFiles(directory or shipped_directory(), find_model(PACKAGED_ALIAS, key=KEY))
    for path in (found.encoder, found.trees):
        if not path.is_file():
            raise ConfigError(f"{KEY}: there is no {path}")
    return found
