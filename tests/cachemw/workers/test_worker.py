from __future__ import annotations

import subprocess
import sys


def test_without_a_supervisor_it_ends() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cachemw.workers.worker"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
