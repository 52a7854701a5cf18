"""`cachemw serve` with several workers: what they share is made here, and taken down again."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from cachemw.config import Config
from cachemw.local.launch import model_process
from cachemw.workers.directory import place_for_figures, private_directory
from cachemw.workers.listening import Address, addresses, reserve
from cachemw.workers.process import patience_for
from cachemw.workers.supervisor import EXIT_NO_START, Supervisor

log = logging.getLogger("cachemw.workers")


def run_workers(config: Config, env: Mapping[str, str] = os.environ) -> int:
    """Serve with `config.server.workers` processes until told to stop; returns the exit code.

    Raises ConfigError for what cannot work.
    """
    return asyncio.run(_run(config, env))


async def _run(config: Config, env: Mapping[str, str]) -> int:
    server = config.server
    try:
        sockets = reserve(addresses(server.host, server.port))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        log.error("cannot listen on %s:%d: %s", server.host, server.port, reason)
        return EXIT_NO_START
    async with AsyncExitStack() as opened:
        for one in sockets:
            opened.enter_context(one)
        metrics = opened.enter_context(private_directory(place_for_figures()))
        models = await _models(config, opened)
        listen = [Address(int(one.family), one.getsockname()) for one in sockets]
        patience = patience_for(server)
        supervisor = Supervisor(config, listen, metrics, models, env, patience=patience)

        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, supervisor.stop)
        loop.add_signal_handler(signal.SIGINT, lambda: supervisor.stop(now=True))
        port = sockets[0].getsockname()[1]
        log.info("serving on http://%s:%d with %d workers", server.host, port, server.workers)
        return await supervisor.run()


async def _models(config: Config, opened: AsyncExitStack) -> dict[str, Path]:
    """Start the model of each local upstream, once for all workers; returns their sockets."""
    found = {}
    for upstream in config.upstreams:
        if upstream.local is not None:
            process = model_process(upstream)
            opened.push_async_callback(process.aclose)
            await process.start()
            found[upstream.name] = process.socket_path
    return found
