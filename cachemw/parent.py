"""Ending with the process that started this one."""

from __future__ import annotations

import os
import signal
import threading
import time


def exit_at_eof(descriptor: int, within_s: float) -> threading.Event:
    """End this process once nothing more can be read: a pipe's far end closes when its owner dies.

    Works on every platform, unlike PR_SET_PDEATHSIG, and also when the parent was killed. The
    signal, SIGTERM, lets a server finish; before it has installed its handler, it simply kills.
    What is stuck cannot hold the process for longer than `within_s` seconds. The event that is
    returned is set first.
    """
    gone = threading.Event()

    def wait() -> None:
        # Not through a buffered file: its lock, held here, would abort the interpreter's exit.
        while os.read(descriptor, 4096):
            pass
        gone.set()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(within_s)
        os._exit(1)

    threading.Thread(target=wait, name="cachemw-parent-watch", daemon=True).start()
    return gone
