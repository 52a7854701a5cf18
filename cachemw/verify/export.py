"""Exports the shipped cross-encoder: `python -m cachemw.verify.export DIRECTORY OUT RUNTIME`.

In a process of its own, as embed/export.py is and for the same reason; OUT then holds the graph and
a manifest, or the reason why it does not equal the reference.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cachemw.embed.export import ExportRefused, run_export
from cachemw.embed.manifest import Manifest, write_manifest
from cachemw.embed.runtimes import GraphRuntime
from cachemw.verify.cross_encoder import (
    INPUTS,
    MOST_TOKENS,
    CrossEncoder,
    PairTokens,
    probabilities,
)
from cachemw.verify.files import VerifierFiles, find_verifier
from cachemw.verify.probes import EXACT, PROBES, REDUCED, farthest
from cachemw.verify.torch_model import TorchSession, load_module

if TYPE_CHECKING:
    import torch


def export(files: VerifierFiles, directory: Path, runtime: GraphRuntime) -> None:
    """Export the encoder of `files` for `runtime` into the empty `directory`, verified.

    Raises:
        ExportRefused: trying again would not help.
        RuntimeUnusable: the reference itself cannot be loaded.
    """
    module = load_module(files)
    tokens = PairTokens(files.tokenizer)
    reference = probabilities(CrossEncoder(tokens, TorchSession(module)).logits(PROBES))
    try:
        runtime.convert(module, _example(tokens), directory)
    except Exception as error:  # the converters of two projects raise what they like
        raise ExportRefused(f"{runtime.name} cannot convert it: {error}") from error
    packages = ("torch", "transformers", runtime.distribution)
    manifest = Manifest(
        dimension=1,
        max_seq_length=2 * MOST_TOKENS + 3,
        inputs=INPUTS,
        prompt="",
        pad_id=0,
        verified=verified(directory, runtime, tokens, reference),
        versions={package: importlib.metadata.version(package) for package in packages},
    )
    write_manifest(directory, manifest)


def _example(tokens: PairTokens) -> dict[str, torch.Tensor]:
    import torch  # noqa: PLC0415

    # Of different length: without padding in the example, transformers leaves the mask out.
    pairs = (("a first example of some length", "and another"), ("short", "pair"))
    batch = tokens.batch([tokens.encode(pair) for pair in pairs])
    return {name: torch.from_numpy(value) for name, value in batch.items()}


def verified(
    directory: Path, runtime: GraphRuntime, tokens: PairTokens, reference: NDArray[np.float32]
) -> dict[str, float]:
    """Return the largest difference of every precision that may be used; the exact one must be.

    Raises:
        ExportRefused: the graph differs from `reference`, the probes' probabilities.
    """
    exact, *reduced = runtime.precisions()

    def difference(precision: str) -> float:
        session = runtime.open_session(directory, threads=1, precision=precision)
        try:
            return farthest(CrossEncoder(tokens, session), reference)
        finally:
            session.close()

    found = {exact: difference(exact)}
    if found[exact] > EXACT:
        raise ExportRefused(
            f"the {runtime.name} graph differs from the reference by {found[exact]:.4f}"
        )
    found.update((precision, difference(precision)) for precision in reduced)
    return {name: far for name, far in found.items() if far <= REDUCED}


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit status."""
    return run_export(
        arguments,
        lambda model, directory, runtime: export(find_verifier(Path(model)), directory, runtime),
        prog="python -m cachemw.verify.export",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
