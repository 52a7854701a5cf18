"""What a worker runs: `python -m cachemw.workers.worker`, started by the supervisor alone."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
from contextlib import ExitStack, suppress

from cachemw.cli import refused
from cachemw.errors import ConfigError
from cachemw.exposition import count_in_files
from cachemw.logs import set_up_logs
from cachemw.parent import exit_at_eof
from cachemw.workers.handover import Handover, read_handover
from cachemw.workers.listening import bind
from cachemw.workers.process import STOP_NOW, longest_stop

BEAT_SECONDS = 1.0
# How old another worker's figures may be where they are added up; kill -9 loses as much of them.
FOLD_SECONDS = 0.2


def main() -> int:
    """Serve until told to stop; returns the exit code."""
    # Ctrl-C reaches the whole process group. What it means is decided by the supervisor.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        handover = read_handover(sys.stdin.buffer)
    except EOFError:
        return 1
    orphaned = exit_at_eof(sys.stdin.fileno(), longest_stop(handover.config.server))
    set_up_logs(handover.config.logs.level, handover.config.logs.format)
    try:
        return _serve(handover)
    except ConfigError as error:
        return refused(error)
    finally:
        if orphaned.is_set():  # nobody else is left to do it
            shutil.rmtree(handover.place.metrics, ignore_errors=True)


def _serve(handover: Handover) -> int:
    count_in_files(handover.place.number)
    # Imported here: no metric may be made before.
    from cachemw.app import build  # noqa: PLC0415
    from cachemw.server import Repeated, serve  # noqa: PLC0415

    service = build(handover.config, os.environ, handover.place)
    with ExitStack() as opened:
        channel = opened.enter_context(socket.socket(fileno=os.dup(sys.stdin.fileno())))
        sockets = [opened.enter_context(one) for one in bind(handover.listen)]
        repeated = (
            Repeated(lambda: _beat(channel), BEAT_SECONDS),
            Repeated(service.metrics.fold, FOLD_SECONDS),
        )
        server = handover.config.server
        return serve(service, server, sockets=sockets, stop_now=STOP_NOW, repeated=repeated)


def _beat(channel: socket.socket) -> None:
    # Not by making the socket non-blocking: the watch of the supervisor reads from the same one.
    with suppress(BlockingIOError, ConnectionError):
        channel.send(b".", socket.MSG_DONTWAIT)


if __name__ == "__main__":
    sys.exit(main())
