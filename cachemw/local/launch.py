"""The worker process of a `local:` upstream, from its configuration."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from cachemw.config import UpstreamConfig
from cachemw.local.process import LocalModelProcess


def model_process(config: UpstreamConfig) -> LocalModelProcess:
    """Return the process that serves the upstream's model; it is not started yet."""
    model = str(lab_model_path()) if config.local == "lab" else str(config.local)
    served_as = config.default_model or config.name
    return LocalModelProcess(model, served_as, threads=config.local_threads)


def lab_model_path() -> Path:
    """Return where the shipped lab model lies."""
    return Path(str(files("cachemw") / "assets" / "lab_model"))
