"""Has a model exported once per machine image, and finds it again."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from cachemw.embed.base import RuntimeUnusable
from cachemw.embed.manifest import MANIFEST_FILE, REFUSAL_FILE
from cachemw.embed.model_files import ModelFiles
from cachemw.embed.runtimes import GraphRuntime

EXPORTER_VERSION = 1
"""Raised whenever an export module or a `convert` writes something else than before."""

EXPORT_TIMEOUT_S = 600.0

RunExport = Callable[[ModelFiles, Path, GraphRuntime], None]


def prepared_directory(files: ModelFiles, runtime: GraphRuntime, cache_dir: Path) -> Path:
    """Return where the graph of `files` for `runtime` is kept, whether or not it is there.

    Raises:
        RuntimeUnusable: the runtime is not installed.
    """
    try:
        version = importlib.metadata.version(runtime.distribution)
    except importlib.metadata.PackageNotFoundError as error:
        raise RuntimeUnusable(f"{runtime.distribution} is not installed") from error
    key = f"{files.fingerprint}\0{EXPORTER_VERSION}\0{runtime.name}\0{version}"
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    return cache_dir / f"{files.name.replace('/', '--')}-{runtime.name}-{digest}"


def prepare(
    files: ModelFiles,
    runtime: GraphRuntime,
    cache_dir: Path,
    *,
    run_export: RunExport | None = None,
) -> Path:
    """Return the prepared directory, exporting it first if it is not there (about 10 s).

    It is written under a temporary name and renamed when whole. Two processes may prepare at once:
    the second to finish drops its own. A refused graph leaves its reason, so that it is not tried
    at every start; `manifest.read_manifest` raises it.

    Raises:
        RuntimeUnusable: the runtime is not installed, the export failed, or the cache directory
            cannot be written.
    """
    target = prepared_directory(files, runtime, cache_dir)
    if target.is_dir():
        return target
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".preparing-", dir=cache_dir))
    except OSError as error:
        raise RuntimeUnusable(f"cannot write to {cache_dir}: {error}") from error
    try:
        (run_export or export_in_subprocess)(files, staging, runtime)
        if not any((staging / file).is_file() for file in (MANIFEST_FILE, REFUSAL_FILE)):
            raise RuntimeUnusable("the export wrote neither a manifest nor a refusal")
        staging.chmod(0o755)  # mkdtemp makes it private; an image's server may be another user
        _publish(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def _publish(staging: Path, target: Path) -> None:
    try:
        staging.rename(target)
    except OSError as error:
        if not target.is_dir():  # not another process that was first
            raise RuntimeUnusable(f"cannot rename {staging} to {target}: {error}") from error


def export_in_subprocess(
    files: ModelFiles,
    directory: Path,
    runtime: GraphRuntime,
    *,
    module: str = "cachemw.embed.export",
) -> None:
    """Run `module`, which exports this kind of model, in a child process.

    Raises:
        RuntimeUnusable: it failed or took over `EXPORT_TIMEOUT_S`.
    """
    command = [sys.executable, "-m", module]
    command += [str(files.directory), str(directory), runtime.name]
    root = str(Path(__file__).resolve().parents[2])
    search_path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": search_path, "TOKENIZERS_PARALLELISM": "false"}
    try:
        done = subprocess.run(  # noqa: S603 - our own module, with paths as separate arguments
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=EXPORT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeUnusable(f"its export took over {EXPORT_TIMEOUT_S:.0f} s") from error
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        raise RuntimeUnusable(f"its export ended with {done.returncode}: {lines[-1]}")
