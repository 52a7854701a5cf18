from __future__ import annotations

import signal
import subprocess
import sys

CHILD = """\
import signal, sys, time
from cachemw.parent import exit_at_eof
{handler}
gone = exit_at_eof(sys.stdin.fileno(), 0.2)
print("watching", flush=True)
{then}
"""


def run(handler: str, then: str, *, close: bool = True) -> tuple[int, str]:
    code = CHILD.format(handler=handler, then=then)
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stdout.readline() == "watching\n"
    if close:
        child.stdin.close()
    said = child.stdout.read()
    code_ = child.wait(30)
    child.stdin.close()
    child.stdout.close()
    return code_, said


def test_the_child_gets_the_signal_that_stops_a_server() -> None:
    handler = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7 if gone.is_set() else 8))"
    assert run(handler, "time.sleep(60)") == (7, "")


def test_without_a_handler_it_ends_at_once() -> None:
    assert run("", "time.sleep(60)") == (-signal.SIGTERM, "")


def test_what_is_stuck_is_ended() -> None:
    assert run("signal.signal(signal.SIGTERM, signal.SIG_IGN)", "time.sleep(60)") == (1, "")


def test_it_does_not_disturb_an_end_of_its_own() -> None:
    assert run("", "sys.exit(0)", close=False) == (0, "")
