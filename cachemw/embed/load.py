"""Chooses the runtime: tries the table in order and logs which one serves, and why not others."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from cachemw.embed.base import Embedder, RuntimeUnusable
from cachemw.embed.choice import candidates, chosen_precision
from cachemw.embed.graph_embedder import GraphEmbedder, Tokens
from cachemw.embed.manifest import read_manifest
from cachemw.embed.model_files import ModelFiles, find_model
from cachemw.embed.prepare import prepare
from cachemw.embed.runtimes import GRAPH_RUNTIMES, GraphRuntime
from cachemw.embed.settings import EmbedderSettings
from cachemw.embed.torch_runtime import NAME as TORCH
from cachemw.embed.torch_runtime import load_torch
from cachemw.errors import ConfigError

_log = logging.getLogger("cachemw.embed")


def load_embedder(
    settings: EmbedderSettings,
    cache_dir: Path,
    *,
    graph_runtimes: Sequence[GraphRuntime] = GRAPH_RUNTIMES,
) -> Embedder:
    """Load the configured model on the first runtime that serves it, ready to embed.

    The first call on a machine exports the model into `cache_dir` (about 10 s), later ones load
    the result in about 0.4 s.

    Raises:
        ConfigError: there is no such model, or no permitted runtime serves it.
    """
    files = find_model(settings.model)
    reasons: list[str] = []
    for name in candidates(settings.runtime, graph_runtimes):
        try:
            embedder, detail = _load_on(name, files, settings, cache_dir, graph_runtimes)
        except RuntimeUnusable as reason:
            reasons.append(f"{name}: {reason}")
            continue
        embedder.embed(["warm up"])  # the first run allocates; no request should wait for that
        _log.log(
            logging.WARNING if reasons else logging.INFO,
            "embedder %s (%s): %s, %s%s",
            files.name,
            files.fingerprint,
            name,
            detail,
            f"; passed over {'; '.join(reasons)}" if reasons else "",
        )
        return embedder
    raise ConfigError(f"embedder: nothing serves model {files.name}: {'; '.join(reasons)}")


def _load_on(
    name: str,
    files: ModelFiles,
    settings: EmbedderSettings,
    cache_dir: Path,
    graph_runtimes: Sequence[GraphRuntime],
) -> tuple[Embedder, str]:
    """Return the embedder on the runtime `name`, and what to say about it in the log."""
    if name == TORCH:
        if settings.precision == "bf16":
            raise RuntimeUnusable("it computes in f32 here, not in bf16")
        device, threads = settings.device, settings.threads
        return load_torch(files, device=device, threads=threads), f"f32 on {device}"
    runtime = {runtime.name: runtime for runtime in graph_runtimes}[name]
    if settings.device != "cpu":
        raise RuntimeUnusable(f"it serves the cpu, not {settings.device}")
    directory = prepare(files, runtime, cache_dir)
    manifest = read_manifest(directory)
    precision = chosen_precision(settings.precision, runtime, manifest)
    embedder = GraphEmbedder(
        name=files.name,
        fingerprint=files.fingerprint,
        runtime=name,
        dimension=manifest.dimension,
        tokens=Tokens.load(directory, manifest),
        session=runtime.open_session(directory, threads=settings.threads, precision=precision),
    )
    return embedder, f"{precision}, cosine to the reference {manifest.verified[precision]:.6f}"
