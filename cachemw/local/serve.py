"""Load a model and serve it: where the worker's parts are put together."""

from __future__ import annotations

from pathlib import Path

import uvicorn

from cachemw.local.app import build_app
from cachemw.local.generate import Delta
from cachemw.local.model import load_model
from cachemw.local.scheduler import TurnScheduler

GRACE_S = 2
"""Seconds that open responses get when the worker is told to stop."""


def serve(
    model: str, name: str, uds: Path, *, threads: int, max_concurrency: int, max_queue: int
) -> None:
    """Load `model`, then serve it as `name` over the socket `uds` until told to stop.

    The socket appears once the model is loaded, so a client that connects need not wait.
    """
    loaded = load_model(model, threads=threads)
    scheduler: TurnScheduler[Delta] = TurnScheduler(
        max_active=max_concurrency, max_waiting=max_queue
    )
    uvicorn.run(
        build_app(loaded, name, scheduler),
        uds=str(uds),
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=GRACE_S,
    )
