"""Chooses the verifier, loads it, and logs which one serves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from cachemw.embed.base import RuntimeUnusable
from cachemw.embed.choice import candidates, chosen_precision
from cachemw.embed.manifest import read_manifest
from cachemw.embed.prepare import export_in_subprocess, prepare
from cachemw.embed.runtimes import GRAPH_RUNTIMES, GraphRuntime
from cachemw.embed.torch_runtime import NAME as TORCH
from cachemw.errors import ConfigError
from cachemw.verify.base import QuestionPair, Verifier
from cachemw.verify.cross_encoder import CrossEncoder, PairTokens
from cachemw.verify.files import KEY, VerifierFiles, find_verifier
from cachemw.verify.named import load_named
from cachemw.verify.settings import NONE, SHIPPED, VerifierSettings
from cachemw.verify.shipped import ShippedVerifier, variant
from cachemw.verify.torch_model import TorchSession, load_module

_log = logging.getLogger("cachemw.verify")

_Loader = Callable[[VerifierSettings, Path, str], tuple[Verifier, str]]


def load_verifier(
    settings: VerifierSettings, cache_dir: Path, embedder_fingerprint: str
) -> Verifier | None:
    """Load the configured verifier, ready to score; None where the cosine is to be the score.

    The first load of the shipped one on a machine exports its encoder into `cache_dir` (about
    15 s), later ones take about a second.

    Raises:
        ConfigError: it cannot be loaded; the message names `semantic.verifier`.
    """
    if settings.model == NONE:
        _log.info("no verifier: the score is the cosine similarity")
        return None
    load = _LOADERS.get(settings.model, _named)
    verifier, detail = load(settings, cache_dir, embedder_fingerprint)
    try:
        # The first run allocates; no request should wait for that.
        verifier.score([QuestionPair("warm up", "warm up", 1.0)])
    except Exception as error:  # whatever a model raises: it can serve nothing
        raise ConfigError(f"{KEY}: {settings.model} cannot score: {error}") from error
    _log.info("verifier %s (%s): %s", settings.model, verifier.fingerprint, detail)
    return verifier


def _named(settings: VerifierSettings, _: Path, __: str) -> tuple[Verifier, str]:
    return load_named(settings.model, threads=settings.threads), f"{TORCH}, f32"


def _shipped(
    settings: VerifierSettings, cache_dir: Path, embedder_fingerprint: str
) -> tuple[Verifier, str]:
    files = find_verifier()
    kind = variant(files, embedder_fingerprint)
    encoder, detail = load_encoder(files, settings, cache_dir)
    return ShippedVerifier(files, encoder, kind), f"{kind}, {detail}"


_LOADERS: Mapping[str, _Loader] = {SHIPPED: _shipped}
"""By name; what is not here is the directory or hub name of a CrossEncoder."""


def load_encoder(
    files: VerifierFiles,
    settings: VerifierSettings,
    cache_dir: Path,
    *,
    graph_runtimes: Sequence[GraphRuntime] = GRAPH_RUNTIMES,
) -> tuple[CrossEncoder, str]:
    """Load the encoder on the first runtime that serves it; also say what the log should.

    Raises:
        ConfigError: no permitted runtime serves it.
    """
    reasons: list[str] = []
    for name in candidates(settings.runtime, graph_runtimes):
        try:
            encoder, detail = _load_on(name, files, settings, cache_dir, graph_runtimes)
        except RuntimeUnusable as reason:
            reasons.append(f"{name}: {reason}")
            continue
        passed_over = f"; passed over {'; '.join(reasons)}" if reasons else ""
        return encoder, f"{name}, {detail}{passed_over}"
    raise ConfigError(f"{KEY}: nothing serves {settings.model}: {'; '.join(reasons)}")


def _load_on(
    name: str,
    files: VerifierFiles,
    settings: VerifierSettings,
    cache_dir: Path,
    graph_runtimes: Sequence[GraphRuntime],
) -> tuple[CrossEncoder, str]:
    tokens = PairTokens(files.tokenizer)
    if name == TORCH:
        if settings.precision == "bf16":
            raise RuntimeUnusable("it computes in f32 here, not in bf16")
        return CrossEncoder(tokens, TorchSession(load_module(files))), "f32"
    runtime = {runtime.name: runtime for runtime in graph_runtimes}[name]
    export = partial(export_in_subprocess, module="cachemw.verify.export")
    directory = prepare(files.model_files(), runtime, cache_dir, run_export=export)
    manifest = read_manifest(directory)
    precision = chosen_precision(settings.precision, runtime, manifest)
    session = runtime.open_session(directory, threads=settings.threads, precision=precision)
    far = manifest.verified[precision]
    return CrossEncoder(tokens, session), f"{precision}, off the reference by at most {far:.4f}"
