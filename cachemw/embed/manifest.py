"""What a prepared directory says about the graph in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from cachemw.embed.base import RuntimeUnusable

MANIFEST_FILE = "manifest.json"
REFUSAL_FILE = "refused.txt"
TOKENIZER_FILE = "tokenizer.json"


@dataclass(frozen=True)
class Manifest:
    """All that serving a graph needs besides the graph and the tokenizer.

    inputs:     the graph's input names, each an int64 array [batch, tokens].
    prompt:     put before every text; the model's default prompt.
    pad_id:     token id of the padding.
    verified:   precision -> how near it is to the reference over the probes: an embedder's worst
                cosine, a verifier's largest difference in probability.
    versions:   of the packages that exported it, for people.
    """

    dimension: int
    max_seq_length: int
    inputs: tuple[str, ...]
    prompt: str
    pad_id: int
    verified: Mapping[str, float]
    versions: Mapping[str, str]


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write `manifest` into `directory`."""
    options = orjson.OPT_INDENT_2
    (directory / MANIFEST_FILE).write_bytes(orjson.dumps(asdict(manifest), option=options))


def read_manifest(directory: Path) -> Manifest:
    """Read the manifest in `directory`.

    Raises:
        RuntimeUnusable: the graph was refused when it was prepared, or the directory is damaged.
    """
    refusal = directory / REFUSAL_FILE
    if refusal.is_file():
        raise RuntimeUnusable(refusal.read_text("utf-8"))
    try:
        fields = orjson.loads((directory / MANIFEST_FILE).read_bytes())
        return Manifest(**{**fields, "inputs": tuple(fields["inputs"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RuntimeUnusable(f"{directory} is damaged, remove it: {error}") from error
