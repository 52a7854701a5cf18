"""Exports a model as a graph for one runtime: `python -m cachemw.embed.export MODEL OUT RUNTIME`.

Runs in a process of its own, so that torch (5 to 9 s, 500 MB) never enters the server's. OUT then
holds the graph, the tokenizer and a manifest, or, if the graph does not equal the reference, only
the reason. Exit status 0 in both cases; anything else is a failure worth trying again.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cachemw.embed.base import RuntimeUnusable
from cachemw.embed.graph_embedder import GraphEmbedder, Tokens
from cachemw.embed.manifest import REFUSAL_FILE, TOKENIZER_FILE, Manifest, write_manifest
from cachemw.embed.model_files import ModelFiles, find_model
from cachemw.embed.runtimes import GraphRuntime, graph_runtime
from cachemw.embed.torch_runtime import TorchEmbedder, load_reference
from cachemw.embed.verify import FLOOR, PROBES, worst_probe_cosine

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class ExportRefused(Exception):
    """The graph cannot be built or is not equal to the reference."""


def export(files: ModelFiles, directory: Path, runtime: GraphRuntime) -> None:
    """Export `files` for `runtime` into the empty `directory`, verified.

    Raises:
        ExportRefused: trying again would not help.
        RuntimeUnusable: the reference itself cannot be loaded.
    """
    model = load_reference(files)
    reference = TorchEmbedder(files, model)
    manifest = _manifest(model, reference.dimension, runtime)
    # The fast tokenizer as the reference configured it: lower-casing, special tokens.
    model.tokenizer.backend_tokenizer.save(str(directory / TOKENIZER_FILE))
    try:
        runtime.convert(_whole_pipeline(model), _example(model, manifest.inputs), directory)
    except Exception as error:  # the converters of two projects raise what they like
        raise ExportRefused(f"{runtime.name} cannot convert it: {error}") from error
    verified = _verify(files, directory, runtime, manifest, reference.embed(PROBES))
    write_manifest(directory, replace(manifest, verified=verified))


def _manifest(model: SentenceTransformer, dimension: int, runtime: GraphRuntime) -> Manifest:
    tokenizer = model.tokenizer
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise ExportRefused("its tokenizer has no fast form")
    if tokenizer.padding_side != "right" or tokenizer.truncation_side != "right":
        raise ExportRefused("its tokenizer pads or cuts on the left")
    packages = ("sentence-transformers", "torch", "transformers", runtime.distribution)
    return Manifest(
        dimension=dimension,
        max_seq_length=model.max_seq_length or tokenizer.model_max_length,
        inputs=tuple(name for name in INPUTS if name in tokenizer.model_input_names),
        prompt=model.prompts.get(model.default_prompt_name or "") or "",
        pad_id=tokenizer.pad_token_id,
        verified={},
        versions={package: importlib.metadata.version(package) for package in packages},
    )


def _whole_pipeline(model: SentenceTransformer) -> torch.nn.Module:
    """Return transformer, pooling and normalisation as one module of tensors to a tensor."""
    import torch  # noqa: PLC0415

    class Pipeline(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(
            self,
            input_ids: torch.Tensor,
            attention_mask: torch.Tensor,
            token_type_ids: torch.Tensor | None = None,
        ) -> torch.Tensor:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            if token_type_ids is not None:
                features["token_type_ids"] = token_type_ids
            for module in self.model:
                features = module(features)
            return torch.nn.functional.normalize(features["sentence_embedding"], dim=-1)

    return Pipeline().eval()


def _example(model: SentenceTransformer, inputs: Sequence[str]) -> dict[str, torch.Tensor]:
    # Two texts of different length: without padding in the example, transformers leaves the
    # attention mask out of the trace and the graph is right for batches of one only.
    texts = ["a first example of some length", "short"]
    features = model.tokenizer(
        texts, padding=True, return_tensors="pt", return_token_type_ids="token_type_ids" in inputs
    )
    return {name: features[name] for name in inputs}


def _verify(
    files: ModelFiles,
    directory: Path,
    runtime: GraphRuntime,
    manifest: Manifest,
    reference: NDArray[np.float32],
) -> dict[str, float]:
    """Return the worst cosine of every precision that may be used; the exact one must be."""
    tokens = Tokens.load(directory, manifest)
    exact, *reduced = runtime.precisions()

    def worst(precision: str) -> float:
        embedder = GraphEmbedder(
            name=files.name,
            fingerprint=files.fingerprint,
            runtime=runtime.name,
            dimension=manifest.dimension,
            tokens=tokens,
            session=runtime.open_session(directory, threads=1, precision=precision),
        )
        try:
            return worst_probe_cosine(embedder.embed, reference)
        finally:
            embedder.close()

    cosine = worst(exact)
    if cosine < FLOOR:
        raise ExportRefused(f"the {runtime.name} graph differs from the reference: {cosine:.6f}")
    cosines = {exact: cosine}
    for precision in reduced:
        cosine = worst(precision)
        if cosine >= FLOOR:
            cosines[precision] = cosine
    return cosines


def main(arguments: Sequence[str], *, find: Callable[[str], ModelFiles] = find_model) -> int:
    """Run the command; return its exit status."""
    return run_export(
        arguments,
        lambda model, directory, runtime: export(find(model), directory, runtime),
        prog="python -m cachemw.embed.export",
    )


def run_export(
    arguments: Sequence[str], export: Callable[[str, Path, GraphRuntime], None], *, prog: str
) -> int:
    """Run the command of an export module; return its exit status."""
    parser = argparse.ArgumentParser(prog=prog)
    parser.add_argument("model", help="directory of the model, or its alias")
    parser.add_argument("out", type=Path, help="empty directory to write to")
    parser.add_argument("runtime", help="openvino or onnxruntime")
    options = parser.parse_args(arguments)
    try:
        export(options.model, options.out, graph_runtime(options.runtime))
    except ExportRefused as refusal:
        (options.out / REFUSAL_FILE).write_text(str(refusal), "utf-8")
    except RuntimeUnusable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
